-- SPDX-License-Identifier: Apache-2.0
-- Views that count and time: summaries, latency, deadlines, evidence, staleness.
set role muster_owner;

insert into muster.schema_migration (version, name) values (15, 'summary');
reset role;
