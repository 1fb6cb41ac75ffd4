-- SPDX-License-Identifier: Apache-2.0
-- us-aml, told in SQL, with the limits that the pack has by default.

create table flow as
    select i.*, num(amount) as paid, (instant(ts) at time zone 'America/New_York') as there, instrument = 'CASH' as cash from input as i;
alter table flow add column day date, add column bizday date, add column bizday16 date;
update flow set day = there::date;
-- the same day if it is one of business, else the next that is; from 16:00 on as if it were the day after
update flow set bizday = next_business_day('us-fed', day - 1),
    bizday16 = next_business_day('us-fed', case when there::time >= '16:00' then day else day - 1 end);

-- keys AML.CTR
select shown(bizday16), direction, person from flow where cash and bizday16 is not null and direction is not null and person is not null
group by bizday16, direction, person having sum(paid) > 10000.00;
-- keys AML.STRUCT
select shown(bizday), person from (
    select bizday, person, sum(n) over month as n, sum(paid) over month as paid
    from (select bizday, person, count(*) as n, sum(paid) as paid from flow
        where cash and paid >= 3000.00 and paid < 10000.00 and bizday is not null and person is not null group by bizday, person) as days
    window month as (partition by person order by bizday range between interval '29 days' preceding and current row)) as months
where n >= 3 and paid > 10000.00;
-- keys AML.VELOCITY
select shown(day), person from (
    select day, person, sum(n) over (partition by person order by day range between interval '6 days' preceding and current row) as n
    from (select day, person, count(*) as n from flow where day is not null and person is not null group by day, person) as days) as weeks
where n >= 20;
-- keys AML.FANIN
select shown(day), person from flow where direction = 'in' and day is not null and person is not null group by day, person having count(distinct other) >= 5;
-- rule AML.GIVEN
select record_no from flow where num_nulls(txn_id, person, ts, amount, direction, instrument) > 0;
-- rule AML.AMOUNT
select record_no from flow where paid <= 0 or not num_fits(amount, 18, 2);
-- rule AML.DIRECTION
select record_no from flow where direction not in ('in', 'out');
