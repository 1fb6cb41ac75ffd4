-- SPDX-License-Identifier: Apache-2.0
-- late-reporting, told in SQL. `due` is the next business day behind the local day of execution.

create table report as
    select *, next_business_day('gb', executed) as due,
        -- null: not to be judged
        sent > next_business_day('gb', executed) as late
    from (select record_no, report_id, firm, executed_at, reported_at, (instant(executed_at) at time zone 'Europe/London')::date as executed,
            (instant(reported_at) at time zone 'Europe/London')::date as sent from input) as i;

-- rule LATE.GIVEN
select record_no from report where report_id is null or firm is null or executed_at is null or reported_at is null;
-- rule LATE.READABLE
select record_no from report where (executed_at is not null and executed is null) or (reported_at is not null and sent is null);
-- rule LATE.ORDER
select record_no from report where instant(reported_at) < instant(executed_at);
-- rule LATE.T1
select record_no from report where late;
-- rule LATE.BACKLOG
select record_no from report where late and (select count(*) from business_day where cal = 'gb' and day > due and day <= sent) > 5;
-- rule LATE.CLOSED
select record_no from report where executed is not null and not exists (select from business_day where cal = 'gb' and day = executed);
-- keys LATE.TWICE
select firm, report_id from report where firm is not null and report_id is not null group by firm, report_id having count(*) > 1;
-- keys LATE.FIRM
select shown(executed), firm from report where executed is not null and firm is not null group by executed, firm having count(*) filter (where late) >= 1;
-- keys LATE.WEEK
select shown(executed), firm from (
    select executed, firm, sum(n) over week as n, sum(lates) over week as lates
    from (select executed, firm, count(*) as n, count(*) filter (where late) as lates from report
        where executed is not null and firm is not null group by executed, firm) as days
    window week as (partition by firm order by executed range between interval '6 days' preceding and current row)) as weeks
where n >= 20 and lates * 20 > n;
-- verdict LATE.SHARE
select 1 from report having count(*) filter (where not late) < 0.99 * count(late);
