-- SPDX-License-Identifier: Apache-2.0
-- How long what is kept: partitions made ahead and taken out, legal holds, purge certificates.
set role muster_owner;

insert into muster.schema_migration (version, name) values (16, 'retention');
reset role;
