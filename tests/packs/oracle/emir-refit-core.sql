-- SPDX-License-Identifier: Apache-2.0
-- emir-refit-core, told in SQL.

create table trade as
    select i.*, action = 'NEWT' as new, instant(executed_at) as executed, instant(reporting_at) as reported,
        (instant(executed_at) at time zone 'Europe/Berlin')::date as trade_day, (instant(reporting_at) at time zone 'Europe/Berlin')::date as report_day,
        day_of(effective_date) as begins, day_of(expiration_date) as ends
    from input as i;

-- rule EMIR.T1.F01.GIVEN
select record_no from trade where reporting_at is null;
-- rule EMIR.T1.F01.ORDER
select record_no from trade where reported < executed;
-- rule EMIR.T1.F01.LATE
select record_no from trade where new and report_day > next_business_day('target', trade_day);
-- rule EMIR.T1.F02.LEI
select record_no from trade where not coalesce(lei_ok(submitter), false);
-- rule EMIR.T1.F03.LEI
select record_no from trade where not lei_ok(responsible);
-- rule EMIR.T1.F04.LEI
select record_no from trade where not coalesce(lei_ok(party1), false);
-- rule EMIR.T1.F05.ENUM
select record_no from trade where nature1 not in ('F', 'N', 'C', 'O');
-- rule EMIR.T1.F09.LEI
select record_no from trade where party2_is_lei = 'true' and not coalesce(lei_ok(party2), false);
-- rule EMIR.T1.F09.SAME
select record_no from trade where party1 = party2;
-- rule EMIR.T1.F17.ENUM
select record_no from trade where direction not in ('BYER', 'SLLR');
-- rule EMIR.T1.F17.IFF
select record_no from trade where new and (direction is null) = (num_nonnulls(direction_leg1, direction_leg2) = 0);
-- rule EMIR.T1.F18.OPPOSITE
select record_no from trade where (direction_leg1 not in ('MAKE', 'TAKE') or direction_leg2 not in ('MAKE', 'TAKE') or direction_leg1 = direction_leg2);
-- rule EMIR.T2.F01.UTI
select record_no from trade where not coalesce(uti_ok(uti), false);
-- keys EMIR.T2.F01.DUP
select party1, uti from trade where new and party1 is not null and uti is not null group by party1, uti having count(*) > 1;
-- rule EMIR.T2.F03.UTI
select record_no from trade where not uti_ok(prior_uti);
-- rule EMIR.T2.F07.ISIN
select record_no from trade where not isin_ok(isin);
-- rule EMIR.T2.F08.UPI
select record_no from trade where upi !~ '^[A-Z0-9]{12}$';
-- rule EMIR.T2.F09.CFI
select record_no from trade where new and not coalesce(cfi_ok(cfi), false);
-- rule EMIR.T2.F10.ENUM
select record_no from trade where new and (contract_type is null or contract_type not in ('CFDS', 'FRAS', 'FUTR', 'FORW', 'OPTN', 'SPDB', 'SWAP', 'SWPT', 'OTHR'));
-- rule EMIR.T2.F11.ENUM
select record_no from trade where new and (asset_class is null or asset_class not in ('INTR', 'CRDT', 'EQUI', 'COMM', 'CURR'));
-- rule EMIR.T2.F19.CCY
select record_no from trade where settlement_ccy not in (select code from list_iso4217);
-- rule EMIR.T2.F22.CCY
select record_no from trade where valuation_ccy not in (select code from list_iso4217);
-- rule EMIR.T2.F49.CCY
select record_no from trade where price_ccy not in (select code from list_iso4217);
-- rule EMIR.T2.F56.CCY
select record_no from trade where notional1_ccy not in (select code from list_iso4217);
-- rule EMIR.T2.F65.CCY
select record_no from trade where notional2_ccy not in (select code from list_iso4217);
-- rule EMIR.T2.F21.IFF
select record_no from trade where num_nulls(valuation_amount, valuation_ccy, valuation_method) not in (0, 3);
-- rule EMIR.T2.F21.DECIMAL
select record_no from trade where not num_fits(valuation_amount, 25, 5);
-- rule EMIR.T2.F23.PAST
select record_no from trade where instant(valuation_at) > reported;
-- rule EMIR.T2.F24.ENUM
select record_no from trade where valuation_method not in ('MTMA', 'MTMO', 'CCPV');
-- rule EMIR.T2.F29.ENUM
select record_no from trade where confirmed not in ('NCNF', 'ECNF', 'YCNF');
-- rule EMIR.T2.F31.ENUM
select record_no from trade where new and (cleared is null or cleared not in ('Y', 'N', 'I'));
-- rule EMIR.T2.F32.ORDER
select record_no from trade where cleared = 'Y' and (cleared_at is null or instant(cleared_at) < executed);
-- rule EMIR.T2.F33.CCP
select record_no from trade where cleared = 'Y' and not coalesce(lei_ok(ccp), false);
-- rule EMIR.T2.F33.NONE
select record_no from trade where cleared = 'N' and ccp is not null;
-- rule EMIR.T2.F41.MIC
select record_no from trade where new and (venue is null or not mic_active(venue, trade_day));
-- rule EMIR.T2.F42.GIVEN
select record_no from trade where new and executed_at is null;
-- rule EMIR.T2.F43.GIVEN
select record_no from trade where new and effective_date is null;
-- rule EMIR.T2.F44.ORDER
select record_no from trade where ends < begins;
-- rule EMIR.T2.F45.ORDER
select record_no from trade where day_of(early_termination_date) < trade_day or day_of(early_termination_date) > ends;
-- rule EMIR.T2.F45.GIVEN
select record_no from trade where action = 'TERM' and early_termination_date is null;
-- rule EMIR.T2.F46.ORDER
select record_no from trade where day_of(settlement_date) < begins;
-- rule EMIR.T2.F47.ENUM
select record_no from trade where delivery not in ('CASH', 'PHYS', 'OPTL');
-- rule EMIR.T2.F55.GIVEN
select record_no from trade where new and notional1 is null;
-- rule EMIR.T2.F55.DECIMAL
select record_no from trade where num(notional1) < 0 or not num_fits(notional1, 25, 5);
-- keys EMIR.T2.F55.PAIR
select uti from trade where new and uti is not null group by uti having min(num(notional1)) <> max(num(notional1)) or count(distinct notional1_ccy) > 1;
-- rule EMIR.T2.F56.IFF
select record_no from trade where num_nulls(notional1, notional1_ccy) = 1;
-- rule EMIR.T2.F64.DECIMAL
select record_no from trade where num(notional2) < 0 or not num_fits(notional2, 25, 5);
-- rule EMIR.T2.F64.EQUAL
select record_no from trade where asset_class = 'INTR' and contract_type = 'SWAP' and notional1_ccy = notional2_ccy and num(notional1) <> num(notional2);
-- rule EMIR.T2.F65.IFF
select record_no from trade where num_nulls(notional2, notional2_ccy) = 1;
-- rule EMIR.T2.F151.ENUM
select record_no from trade where action is null or action not in ('NEWT', 'MODI', 'CORR', 'TERM', 'EROR', 'REVI', 'VALU', 'POSC');
-- rule EMIR.T2.F152.ENUM
select record_no from trade where event not in ('TRAD', 'NOVA', 'COMP', 'ETRM', 'CLRG', 'EXER', 'ALOC', 'CREV', 'CORP', 'INCP', 'UPDT');
-- rule EMIR.T2.F152.GIVEN
select record_no from trade where action in ('NEWT', 'TERM') and event is null;
-- rule EMIR.T2.F152.NONE
select record_no from trade where action in ('CORR', 'EROR', 'REVI', 'VALU') and event is not null;
-- rule EMIR.T2.F153.PAST
select record_no from trade where day_of(event_date) > report_day;
-- rule EMIR.T2.F154.ENUM
select record_no from trade where new and (level is null or level not in ('TCTN', 'PSTN'));
