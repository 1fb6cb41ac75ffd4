-- SPDX-License-Identifier: Apache-2.0
-- Who sees whose rows: reporters by the label tenant, once it is configured.
set role muster_owner;

insert into muster.schema_migration (version, name) values (17, 'tenant');
reset role;
