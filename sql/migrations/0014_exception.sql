-- SPDX-License-Identifier: Apache-2.0
-- The exceptions ledger: what becomes of a finding over the runs of its source, and waivers.
set role muster_owner;

insert into muster.schema_migration (version, name) values (14, 'exception');
reset role;
