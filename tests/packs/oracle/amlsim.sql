-- SPDX-License-Identifier: Apache-2.0
-- Flows of the simulated transfers, by receiver or sender and numbered day: what the pack amlsim, beside the tests, says
-- of the same file.

create table transfer as
    select record_no, sourcenodeid as sender, targetnodeid as receiver, value::numeric as value, "time"::integer as day from input;

-- keys SIM.CASH
select day::text, receiver from transfer group by day, receiver having sum(value) > 1000;
-- keys SIM.STRUCT.WEEK
select day::text, receiver from (
    select day, receiver, sum(n) over span as n, sum(value) over span as value
    from (select day, receiver, count(*) as n, sum(value) as value from transfer where value >= 50 and value < 1000 group by day, receiver) as days
    window span as (partition by receiver order by day range between 6 preceding and current row)) as spans
where n >= 5 and value > 1000;
-- keys SIM.STRUCT.MONTH
select day::text, receiver from (
    select day, receiver, sum(n) over span as n, sum(value) over span as value
    from (select day, receiver, count(*) as n, sum(value) as value from transfer where value >= 100 and value < 1000 group by day, receiver) as days
    window span as (partition by receiver order by day range between 29 preceding and current row)) as spans
where n >= 20 and value > 3000;
-- keys SIM.VELOCITY
select day::text, sender from (
    select day, sender, sum(n) over (partition by sender order by day range between 6 preceding and current row) as n
    from (select day, sender, count(*) as n from transfer group by day, sender) as days) as weeks
where n >= 5;
-- keys SIM.VELOCITY.MANY
select day::text, sender from (
    select day, sender, sum(n) over (partition by sender order by day range between 6 preceding and current row) as n
    from (select day, sender, count(*) as n from transfer group by day, sender) as days) as weeks
where n >= 10;
-- keys SIM.FANIN
select day::text, receiver from transfer group by day, receiver having count(distinct sender) >= 5;
-- keys SIM.REPEATED
select day::text, receiver, sender, trim_scale(value)::text from transfer group by day, receiver, sender, value having count(*) > 1;
-- rule SIM.SELF
select record_no from transfer where sender = receiver;
