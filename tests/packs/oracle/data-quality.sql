-- SPDX-License-Identifier: Apache-2.0
-- data-quality, told in SQL, with the parameters that the pack has by default, as of :as_of.

create table price as
    select i.*, day_of(day) as on_day, num(price_open) as o, num(price_high) as h, num(price_low) as l, num(price_close) as c, num(volume) as v from input as i;

-- rule DQ.KEY.GIVEN
select record_no from price where instrument is null or day is null;
-- rule DQ.KEY.FORM
select record_no from price where instrument !~ '^[A-Z0-9._-]{1,40}$';
-- keys DQ.KEY.UNIQUE
select shown(on_day), instrument from price where on_day is not null and instrument is not null group by on_day, instrument having count(*) > 1;
-- rule DQ.DAY.READABLE
select record_no from price where day is not null and on_day is null;
-- rule DQ.DAY.PAST
select record_no from price where on_day > :as_of;
-- rule DQ.DAY.WEEKDAY
select record_no from price where extract(isodow from on_day) > 5;
-- rule DQ.PRICE.READABLE
select record_no from price where num_nulls(o, h, l, c) > num_nulls(price_open, price_high, price_low, price_close);
-- rule DQ.PRICE.POSITIVE
select record_no from price where num_nulls(o, h, l, c) = 0 and least(o, h, l, c) <= 0;
-- rule DQ.PRICE.RANGE
select record_no from price where num_nulls(o, c) = 0 and (l > least(o, c) or h < greatest(o, c));
-- rule DQ.PRICE.FLAT
select record_no from price where o = h and h = l and l = c;
-- rule DQ.PRICE.DIGITS
select record_no from price where not num_fits(price_close, 18, 6);
-- verdict DQ.PRICE.KNOWN
select 1 from price having count(price_close) < 0.999 * count(*);
-- rule DQ.VOLUME.WHOLE
select record_no from price where v < 0 or v <> trunc(v);
-- verdict DQ.VOLUME.KNOWN
select 1 from price having count(volume) < 0.95 * count(*);
-- rule DQ.CCY.LISTED
select record_no from price where currency not in (select code from list_iso4217);
-- keys DQ.CCY.ONE
select instrument from price where instrument is not null group by instrument having count(distinct currency) > 1;
-- rule DQ.HOLDING.ADDS
select record_no from price where abs(num(quantity) * c - num(market_value)) > 0.01;
-- rule DQ.REF.GIVEN
select record_no from price where source_ref is null or length(source_ref) > 64;
-- keys DQ.REF.UNIQUE
select source_ref from price where source_ref is not null group by source_ref having count(*) > 1;
-- keys DQ.DAY.GAPS
select shown(on_day) from price where on_day is not null group by on_day having count(*) > count(price_close);
-- verdict DQ.ROWS
select 1 from price having count(*) not between 1 and 1000000000;
-- verdict DQ.TOTAL
select 1 where false; -- no control total is given
-- verdict DQ.FRESH
select 1 from price having max(on_day) < :as_of::date - 7;
-- verdict DQ.LIMITS
select 1 from price having min(c) < 0 or max(c) > 1000000000;
