-- SPDX-License-Identifier: Apache-2.0
-- rts22-core, told in SQL. A table of typed columns, then a query per rule with the numbers of the records that break it.

create table tx as
    select i.*, f01 = 'NEWT' as new, instant(f28) as traded, instant(received_at) as received,
        (instant(f28) at time zone 'Europe/London')::date as trade_day, (instant(received_at) at time zone 'Europe/London')::date as receipt_day
    from input as i;

-- rule RTS22.F01.ENUM
select record_no from tx where f01 is null or f01 not in ('NEWT', 'CANC');
-- rule RTS22.F01.CANC
select record_no from tx where f01 = 'CANC' and num_nonnulls(f28, f30, f33, f41) > 0;
-- rule RTS22.F02.FORMAT
select record_no from tx where coalesce(f02, '') !~ '^[A-Z0-9]{1,52}$';
-- keys RTS22.F02.DUP
select f04, f02 from tx where new and f04 is not null and f02 is not null group by f04, f02 having count(*) > 1;
-- rule RTS22.F03.EMPTY
select record_no from tx where new and f36 in ('XOFF', 'XXXX') and f03 is not null;
-- rule RTS22.F04.LEI
select record_no from tx where not coalesce(lei_ok(f04), false);
-- rule RTS22.F05.GIVEN
select record_no from tx where new and f05 is null;
-- rule RTS22.F06.LEI
select record_no from tx where not coalesce(lei_ok(f06), false);
-- rule RTS22.F07.GIVEN
select record_no from tx where new and f07 is null;
-- rule RTS22.F07.KIND
select record_no from tx where f07_kind not in ('LEI', 'MIC', 'NAT', 'INTC');
-- rule RTS22.F07.LEI
select record_no from tx where new and f07_kind = 'LEI' and not coalesce(lei_ok(f07), false);
-- rule RTS22.F07.MIC
select record_no from tx where new and f07_kind = 'MIC' and (f07 is null or not mic_active(f07, trade_day));
-- rule RTS22.F09.PERSON
select record_no from tx where new and f07_kind = 'NAT' and num_nulls(f09, f10, f11) > 0;
-- rule RTS22.F09.ENTITY
select record_no from tx where new and f07_kind <> 'NAT' and num_nonnulls(f09, f10, f11) > 0;
-- rule RTS22.F11.PAST
select record_no from tx where new and (day_of(f11) < '1900-01-01' or day_of(f11) >= trade_day);
-- rule RTS22.F16.GIVEN
select record_no from tx where new and f16 is null;
-- rule RTS22.F16.KIND
select record_no from tx where f16_kind not in ('LEI', 'MIC', 'NAT', 'INTC');
-- rule RTS22.F16.LEI
select record_no from tx where new and f16_kind = 'LEI' and not coalesce(lei_ok(f16), false);
-- rule RTS22.F16.MIC
select record_no from tx where new and f16_kind = 'MIC' and (f16 is null or not mic_active(f16, trade_day));
-- rule RTS22.F18.PERSON
select record_no from tx where new and f16_kind = 'NAT' and num_nulls(f18, f19, f20) > 0;
-- rule RTS22.F18.ENTITY
select record_no from tx where new and f16_kind <> 'NAT' and num_nonnulls(f18, f19, f20) > 0;
-- rule RTS22.F20.PAST
select record_no from tx where new and (day_of(f20) < '1900-01-01' or day_of(f20) >= trade_day);
-- rule RTS22.F07.SAME
select record_no from tx where new and f07_kind <> 'INTC' and f07 = f16;
-- rule RTS22.F25.GIVEN
select record_no from tx where new and f25 is null;
-- rule RTS22.F26.LEI
select record_no from tx where not lei_ok(f26);
-- rule RTS22.F27.LEI
select record_no from tx where not lei_ok(f27);
-- rule RTS22.F28.PAST
select record_no from tx where new and (f28 is null or traded > received);
-- rule RTS22.F28.LATE
select record_no from tx where new and receipt_day > next_business_day('gb', trade_day);
-- rule RTS22.F29.ENUM
select record_no from tx where new and (f29 is null or f29 not in ('DEAL', 'MTCH', 'AOTC'));
-- rule RTS22.F30.DECIMAL
select record_no from tx where new and (f30 is null or not num_fits(f30, 18, case f30_kind when 'UNIT' then 17 else 5 end) and f30_kind is not null);
-- rule RTS22.F30.KIND
select record_no from tx where f30_kind not in ('UNIT', 'NOML', 'MONE');
-- rule RTS22.F31.IFF
select record_no from tx where new and (f31 is null) <> (f30_kind = 'UNIT');
-- rule RTS22.F31.CCY
select record_no from tx where f31 not in (select code from list_iso4217);
-- rule RTS22.F34.CCY
select record_no from tx where f34 not in (select code from list_iso4217);
-- rule RTS22.F39.CCY
select record_no from tx where f39 not in (select code from list_iso4217);
-- rule RTS22.F44.CCY
select record_no from tx where f44 not in (select code from list_iso4217);
-- rule RTS22.F45.CCY
select record_no from tx where f45 not in (select code from list_iso4217);
-- rule RTS22.F52.CCY
select record_no from tx where f52 not in (select code from list_iso4217);
-- rule RTS22.F32.ENUM
select record_no from tx where f32 not in ('INCR', 'DECR');
-- rule RTS22.F33.MONEY
select record_no from tx where new and f33_kind = 'MONE' and (f33 is null or not num_fits(f33, 18, 13));
-- rule RTS22.F33.PERCENT
select record_no from tx where new and f33_kind = 'PCTG' and (f33 is null or not num_fits(f33, 11, 10));
-- rule RTS22.F33.YIELD
select record_no from tx where new and f33_kind = 'YIEL' and (f33 is null or not num_fits(f33, 11, 10));
-- rule RTS22.F33.BASIS
select record_no from tx where new and f33_kind = 'BPNT' and (f33 is null or not num_fits(f33, 18, 17));
-- rule RTS22.F33.NONE
select record_no from tx where new and f33_kind in ('PNDG', 'NOAP') and f33 is not null;
-- rule RTS22.F33.KIND
select record_no from tx where f33_kind not in ('MONE', 'PCTG', 'YIEL', 'BPNT', 'PNDG', 'NOAP');
-- rule RTS22.F34.IFF
select record_no from tx where new and (f34 is null) <> (f33_kind <> 'MONE');
-- rule RTS22.F35.DECIMAL
select record_no from tx where not num_fits(f35, 18, 5);
-- rule RTS22.F36.MIC
select record_no from tx where new and (f36 is null or not mic_active(f36, trade_day));
-- rule RTS22.F37.COUNTRY
select record_no from tx where f37 not in (select code from list_iso3166);
-- rule RTS22.F38.DECIMAL
select record_no from tx where not num_fits(f38, 18, 5);
-- rule RTS22.F39.IFF
select record_no from tx where new and num_nulls(f38, f39) = 1;
-- rule RTS22.F41.ISIN
select record_no from tx where not isin_ok(f41);
-- rule RTS22.F43.CFI
select record_no from tx where not cfi_ok(f43);
-- rule RTS22.F46.DECIMAL
select record_no from tx where num(f46) <= 0 or not num_fits(f46, 18, 17);
-- rule RTS22.F47.ISIN
select record_no from tx where not isin_ok(f47);
-- rule RTS22.F50.ENUM
select record_no from tx where f50 not in ('PUTO', 'CALL', 'OTHR');
-- rule RTS22.F50.IFF
select record_no from tx where new and (left(f43, 1) in ('O', 'H')) <> (f50 is not null);
-- rule RTS22.F53.ENUM
select record_no from tx where f53 not in ('EURO', 'AMER', 'ASIA', 'BERM', 'OTHR');
-- rule RTS22.F54.ONE
select record_no from tx where new and f54 is not null and f55 is not null;
-- rule RTS22.F55.AFTER
select record_no from tx where new and day_of(f55) < trade_day;
-- rule RTS22.F56.ENUM
select record_no from tx where f56 not in ('PHYS', 'CASH', 'OPTL');
-- rule RTS22.F58.ALGO
select record_no from tx where new and f57_kind = 'ALGO' and f58 is not null;
-- rule RTS22.F59.GIVEN
select record_no from tx where new and f59 is null;
-- rule RTS22.F60.ALGO
select record_no from tx where new and f59_kind = 'ALGO' and f60 is not null;
-- rule RTS22.F61.ENUM
select record_no from tx where f61 not in ('RFPT', 'NLIQ', 'OILQ', 'PRIC', 'SIZE', 'ILQD');
-- rule RTS22.F62.ENUM
select record_no from tx where f62 not in ('SESH', 'SSEX', 'SELL', 'UNDI');
-- rule RTS22.F63.ENUM
select record_no from tx where f63 not in ('BENC', 'ACTX', 'LRGS', 'ILQD', 'SIZE', 'CANC', 'AMND', 'SDIV', 'RPRI', 'DUPL', 'TNCP', 'TPAC', 'XFPH');
-- rule RTS22.F65.GIVEN
select record_no from tx where new and f65 is null;
