-- SPDX-License-Identifier: Apache-2.0
-- What the oracles share: values out of text (null: missing or not readable), check digits, calendars. The table `input`
-- holds a file as it came, all text; list_<name> the reference lists likewise.

create function spelled(t text) returns text immutable strict language sql as $$
    select string_agg(case when c between '0' and '9' then c else (ascii(c) - 55)::text end, '' order by i)
    from regexp_split_to_table(t, '') with ordinality as x(c, i)
$$;

create function lei_ok(t text) returns boolean immutable strict language sql as $$
    select case when t ~ '^[A-Z0-9]{18}[0-9]{2}$' then mod(spelled(t)::numeric, 97) = 1 else false end
$$;

-- Luhn over the digits that the characters spell, from the right, the check digit not doubled.
create function isin_ok(t text) returns boolean immutable strict language sql as $$
    select case when t ~ '^[A-Z]{2}[A-Z0-9]{9}[0-9]$' then (
        select mod(sum(case when mod(i, 2) = 0 then c::integer * 2 / 10 + mod(c::integer * 2, 10) else c::integer end), 10) = 0
        from regexp_split_to_table(reverse(spelled(t)), '') with ordinality as x(c, i)) else false end
$$;

create function uti_ok(t text) returns boolean immutable strict language sql as $$
    select t ~ '^[A-Z0-9]{1,52}$' and lei_ok(left(t, 20))
$$;

create function cfi_ok(t text) returns boolean stable strict language sql as $$
    select t ~ '^[A-Z]{6}$' and exists (
        select from list_cfi where "group" = left(t, 2)
            and (substr(t, 3, 1) = 'X' or strpos(coalesce(first, ''), substr(t, 3, 1)) > 0)
            and (substr(t, 4, 1) = 'X' or strpos(coalesce(second, ''), substr(t, 4, 1)) > 0)
            and (substr(t, 5, 1) = 'X' or strpos(coalesce(third, ''), substr(t, 5, 1)) > 0)
            and (substr(t, 6, 1) = 'X' or strpos(coalesce(fourth, ''), substr(t, 6, 1)) > 0))
$$;

create function num(t text) returns numeric immutable strict language sql as $$
    select case when t ~ '^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$' then t::numeric end
$$;

-- Does it fit DECIMAL-total/decimals, digits counted as they are written?
create function num_fits(t text, total integer, decimals integer) returns boolean immutable strict language sql as $$
    select case when num(t) is null then null
        else length(split_part(t, '.', 2)) <= decimals
            and length(split_part(t, '.', 2)) + length(ltrim(split_part(ltrim(t, '+-'), '.', 1), '0')) <= total end
$$;

create function day_of(t text) returns date immutable strict language plpgsql as $$
begin
    return case when t ~ '^\d{4}-\d\d-\d\d$' then t::date end;
exception when datetime_field_overflow or invalid_datetime_format then
    return null;
end
$$;

create function instant(t text) returns timestamptz immutable strict language plpgsql as $$
begin
    return case when t ~ '^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$' then t::timestamptz end;
exception when datetime_field_overflow or invalid_datetime_format then
    return null;
end
$$;

-- Days as PostgreSQL writes them; keys are compared as text.
create function shown(d date) returns text immutable language sql as $$ select to_char(d, 'YYYY-MM-DD') $$;

create table business_day (cal text, day date, primary key (cal, day));
create function add_calendar(name text, of regclass) returns void language plpgsql as $$
begin
    execute format($q$
        insert into business_day select %L, d::date
        from (select generate_series("from"::date, "to"::date - 1, interval '1 day') as d from %s where kind = 'valid') as days
        where not exists (select from %2$s as h where h.kind = 'holiday' and h."from" = to_char(d, 'YYYY-MM-DD'))
            and not exists (select from %2$s as w where w.kind = 'weekend' and w.value::integer = extract(isodow from d))$q$, name, of);
end
$$;
select add_calendar('gb', 'list_gb'), add_calendar('target', 'list_target'), add_calendar('us-fed', 'list_us_fed');
analyze business_day;

create function next_business_day(c text, d date) returns date stable language sql as $$
    select min(day) from business_day where cal = c and day > d
$$;

create function mic_active(t text, d date) returns boolean stable strict language sql as $$
    select exists (select from list_mic where mic = t and (status <> 'EXPIRED' or expiry::date > d))
$$;

-- Check digit of CUSIP and FIGI: every second value doubled, from the left, digits summed.
create function doubled_digit(t text) returns integer immutable strict language sql as $$
    select mod(10 - mod(sum(v / 10 + mod(v, 10)), 10), 10)::integer
    from regexp_split_to_table(t, '') with ordinality as x(c, i),
        lateral (select (case when c between '0' and '9' then c::integer when c between 'A' and 'Z' then ascii(c) - 55
            else 35 + strpos('*@#', c) end) * (2 - mod(i, 2)::integer) as v) as y
$$;
create function cusip_ok(t text) returns boolean immutable strict language sql as $$
    select case when t ~ '^[A-Z0-9*@#]{8}[0-9]$' then doubled_digit(left(t, 8)) = right(t, 1)::integer else false end
$$;
create function figi_ok(t text) returns boolean immutable strict language sql as $$
    select case when t ~ '^[B-DF-HJ-NP-TV-Z]{2}G[B-DF-HJ-NP-TV-Z0-9]{8}[0-9]$' and left(t, 2) not in ('BS', 'BM', 'GG', 'GB', 'VG', 'GH', 'KY')
        then doubled_digit(left(t, 11)) = right(t, 1)::integer else false end
$$;
create function sedol_ok(t text) returns boolean immutable strict language sql as $$
    select case when t ~ '^([0-9]{6}|[B-DF-HJ-NP-TV-Z][0-9B-DF-HJ-NP-TV-Z]{5})[0-9]$' then (
        select mod(10 - mod(sum((array[1, 3, 1, 7, 3, 9])[i] * case when c between '0' and '9' then c::integer else ascii(c) - 55 end), 10), 10)
        from regexp_split_to_table(left(t, 6), '') with ordinality as x(c, i)) = right(t, 1)::integer else false end
$$;
