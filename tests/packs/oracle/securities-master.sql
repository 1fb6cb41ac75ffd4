-- SPDX-License-Identifier: Apache-2.0
-- securities-master, told in SQL, as of :as_of.

create table instrument as
    select i.*, day_of(issue_date) as issued, day_of(maturity_date) as matures from input as i;

-- rule SM.SYMBOL.GIVEN
select record_no from instrument where symbol is null;
-- rule SM.SYMBOL.FORM
select record_no from instrument where symbol !~ '^[A-Z0-9-]{1,12}([.][A-Z]{1,4})?$';
-- keys SM.SYMBOL.UNIQUE
select symbol from instrument where symbol is not null group by symbol having count(*) > 1;
-- rule SM.NAME.GIVEN
select record_no from instrument where name is null;
-- rule SM.NAME.LENGTH
select record_no from instrument where char_length(name) not between 2 and 140;
-- rule SM.CCY.GIVEN
select record_no from instrument where currency is null;
-- rule SM.CCY
select record_no from instrument where currency is not null and not exists (
    select from list_iso4217 where code = currency and coalesce("from", '0001-01-01') <= :as_of and coalesce("to", '9999-12-31') > :as_of);
-- rule SM.MIC.GIVEN
select record_no from instrument where mic is null;
-- rule SM.MIC
select record_no from instrument where not mic_active(mic, :as_of);
-- rule SM.ISIN
select record_no from instrument where not isin_ok(isin) or left(isin, 2) not in (select prefix from list_isin_prefix);
-- keys SM.ISIN.REPEATED
select isin, mic from instrument where isin is not null and mic is not null group by isin, mic having count(*) > 1;
-- rule SM.CUSIP
select record_no from instrument where not cusip_ok(cusip);
-- rule SM.CUSIP.AGREES
select record_no from instrument where left(isin, 2) in ('US', 'CA') and substr(isin, 3, 9) <> cusip;
-- rule SM.SEDOL
select record_no from instrument where not sedol_ok(sedol);
-- rule SM.FIGI
select record_no from instrument where not figi_ok(figi);
-- rule SM.FIGI.COMPOSITE
select record_no from instrument where not figi_ok(composite_figi);
-- rule SM.FIGI.SHARECLASS
select record_no from instrument where not figi_ok(shareclass_figi);
-- rule SM.FIGI.LEVELS
select record_no from instrument where figi = composite_figi;
-- rule SM.LEI
select record_no from instrument where not lei_ok(issuer_lei);
-- rule SM.CFI
select record_no from instrument where not cfi_ok(cfi);
-- rule SM.CAP
select record_no from instrument where market_cap not in ('Nano Cap', 'Micro Cap', 'Small Cap', 'Mid Cap', 'Large Cap', 'Mega Cap');
-- rule SM.DELISTED
select record_no from instrument where lower(delisted) not in ('true', 'false');
-- rule SM.WEBSITE
select record_no from instrument where website !~ '^https?://[A-Za-z0-9.-]+(/.*)?$';
-- rule SM.LOT
select record_no from instrument where num(lot_size) < 1;
-- rule SM.COUPON
select record_no from instrument where num(coupon) < 0 or num(coupon) >= 100;
-- rule SM.ISSUED
select record_no from instrument where issued < '1800-01-01' or issued > :as_of;
-- rule SM.MATURES
select record_no from instrument where issued >= matures;
-- rule SM.PRICES
select record_no from instrument where num(price_low) > num(price_high);
