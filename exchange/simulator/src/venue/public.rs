//! Public endpoints: time, rules, ticker, order book, trades (docs/EXCHANGE.md 4).

use super::frames::{percent, price_change};
use super::reply::{RestReply, Success};
use super::rest::RestRequest;
use crate::decimals::qty_padded;
use crate::exchange::{Exchange, TRADES_SHOWN, TickerRow};
use crate::judge::price_band;
use crate::market::pair::{Pair, PairIndex};
use crate::market::window::Window;
use btcturk::wire::{
    Currency, CurrencyBlock, Digits, ExchangeInfo, Id, Money, Pong, PriceFilter, RestBook,
    RestTicker, RestTrade, ServerTime, Stamp, SymbolInfo,
};
use engine::ids::Asset;
use engine::market::{Level, WINDOW_LEVELS};
use engine::time::Timestamp;
use serde_json::value::RawValue;

/// Largest price of the filter.
const FILTER_PRICE_MAX: &str = "10000000";
/// Smallest price of the filter.
const FILTER_PRICE_MIN: &str = "0.0000000000001";
/// Days of the Gregorian 400-year cycle, for the text form of the time.
const DAYS_PER_ERA: i64 = 146_097;

/// Answers with the exchange's time, without an envelope.
pub fn time(now: Timestamp) -> RestReply {
    RestReply::json(
        200,
        &ServerTime {
            server_time: Stamp::Int(now.ms()),
            server_time2: Some(iso(now)),
        },
    )
}

/// Answers a ping, without an envelope.
pub fn ping() -> RestReply {
    RestReply::json(200, &Pong { pong: true })
}

/// Writes a moment as ISO 8601 with milliseconds. Civil date from days as in Howard Hinnant's public description.
fn iso(now: Timestamp) -> String {
    let days = now.day() + 719_468;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let ms = now.ms().rem_euclid(86_400_000);
    let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
    let (second, milli) = (ms / 1_000 % 60, ms % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Answers with the rules of every pair.
pub fn exchange_info(exchange: &Exchange) -> RestReply {
    let symbols = (0..exchange.pairs().len()).map(|index| symbol_info(exchange, PairIndex(index)));
    let currencies = exchange_assets(exchange);
    let blocks = currencies.iter().map(|asset| CurrencyBlock {
        currency_symbol: asset.to_string(),
        withdrawal_disabled: false,
        deposit_disabled: false,
    });
    let info = ExchangeInfo {
        time_zone: Some("UTC".to_owned()),
        server_time: Some(Stamp::Int(exchange.now().ms())),
        symbols: symbols.collect(),
        currency_operation_blocks: Some(blocks.collect()),
        currencies: Some(
            currencies
                .iter()
                .enumerate()
                .map(|(id, asset)| currency(id, *asset))
                .collect(),
        ),
    };
    RestReply::success(Success::Public, info)
}

fn exchange_assets(exchange: &Exchange) -> Vec<Asset> {
    let mut assets: Vec<Asset> = exchange
        .pairs()
        .iter()
        .flat_map(|pair| [pair.quote, pair.base])
        .collect();
    assets.sort();
    assets.dedup();
    assets
}

fn currency(id: usize, asset: Asset) -> Currency {
    let kind = if asset.as_str() == "TRY" {
        "FIAT"
    } else {
        "CRYPTO"
    };
    let text = format!(
        r#"{{"id":{id},"symbol":"{asset}","minWithdrawal":1,"minDeposit":1,"precision":8,"address":{{"minLen":null,"maxLen":null}},"currencyType":"{kind}","tag":{{"enable":false,"name":null,"minLen":null,"maxLen":null}},"color":"","name":"{asset}","isAddressRenewable":false,"getAutoAddressDisabled":false,"isPartialWithdrawalEnabled":false,"isNew":false}}"#
    );
    Currency(RawValue::from_string(text).expect("the template is JSON"))
}

fn symbol_info(exchange: &Exchange, index: PairIndex) -> SymbolInfo {
    let pair = &exchange.pairs()[index.0];
    let (low, high) = price_band(exchange.prices(index).last);
    let money = |text: &str| Some(Money(text.to_owned()));
    SymbolInfo {
        id: pair.id,
        name: pair.symbol.to_string(),
        name_normalized: Some(pair.normalized.clone()),
        status: "TRADING".to_owned(),
        numerator: pair.base.to_string(),
        denominator: pair.quote.to_string(),
        numerator_scale: pair.qty_scale,
        denominator_scale: pair.price_scale,
        has_fraction: pair.has_fraction,
        filters: vec![PriceFilter {
            filter_type: "PRICE_FILTER".to_owned(),
            min_price: money(FILTER_PRICE_MIN),
            max_price: money(FILTER_PRICE_MAX),
            tick_size: Some(pair.tick.into()),
            min_exchange_value: Some(pair.value_min.into()),
            min_amount: None,
            max_amount: None,
        }],
        order_methods: vec!["MARKET".to_owned(), "LIMIT".to_owned()],
        display_format: Some("#,###".to_owned()),
        commission_from_numerator: pair.fee_in_base,
        order: Some(pair.id * 1_000),
        price_rounding: Some(false),
        is_new: Some(false),
        market_price_warning_threshold_percentage: Digits::parse("0.25").ok(),
        maximum_order_amount: Some(pair.qty_max.into()),
        maximum_limit_order_price: Some(high.into()),
        minimum_limit_order_price: Some(low.into()),
    }
}

/// Answers with one ticker row or all of them; always an array.
pub fn ticker(exchange: &Exchange, symbol: Option<&str>) -> RestReply {
    let Some(symbol) = symbol else {
        return ticker_rows(exchange, |_| true);
    };
    match exchange.find_pair(symbol) {
        Some(wanted) => ticker_rows(exchange, |index| index == wanted),
        None => RestReply::bad_request("INVALID_PAIR"),
    }
}

/// Answers with the ticker rows of a quote or base currency.
pub fn ticker_of_currency(exchange: &Exchange, symbol: Option<&str>) -> RestReply {
    let wanted = symbol.and_then(|text| Asset::parse(text).ok());
    ticker_rows(exchange, |index| {
        let pair = &exchange.pairs()[index.0];
        Some(pair.quote) == wanted || Some(pair.base) == wanted
    })
}

fn ticker_rows(exchange: &Exchange, is_wanted: impl Fn(PairIndex) -> bool) -> RestReply {
    let rows: Vec<RestTicker> = (0..exchange.pairs().len())
        .map(PairIndex)
        .filter(|index| is_wanted(*index))
        .map(|index| rest_ticker(&exchange.pairs()[index.0], &exchange.ticker(index)))
        .collect();
    RestReply::success(Success::Public, rows)
}

fn rest_ticker(pair: &Pair, row: &TickerRow) -> RestTicker {
    let change = i128::from(row.last.units()) - i128::from(row.open.units());
    RestTicker {
        pair: pair.symbol.to_string(),
        pair_normalized: Some(pair.normalized.clone()),
        timestamp: Some(Stamp::Int(row.at.ms())),
        last: row.last.into(),
        high: Some(row.high.into()),
        low: Some(row.low.into()),
        bid: row.bid.price.into(),
        ask: row.ask.price.into(),
        open: Some(row.open.into()),
        volume: Some(row.volume.into()),
        average: Some(row.average.into()),
        daily: Some(price_change(row.open, row.last).into()),
        daily_percent: Some(percent(change, row.open).into()),
        denominator_symbol: Some(pair.quote.to_string()),
        numerator_symbol: Some(pair.base.to_string()),
        order: Some(pair.id * 1_000),
    }
}

/// The order book as the server remembers it for about a second (docs/EXCHANGE.md 4.4).
#[derive(Clone, Debug)]
pub struct CachedBook {
    pair: PairIndex,
    at: Timestamp,
    window: Window,
}

impl CachedBook {
    /// Takes a picture.
    pub fn of(exchange: &Exchange, pair: PairIndex, at: Timestamp) -> Self {
        let window = exchange.window(pair).0.clone();
        Self { pair, at, window }
    }

    /// Returns whether the picture may still be shown.
    pub fn is_fresh(&self, now: Timestamp, exchange: &Exchange) -> bool {
        now.ms_since(self.at) < exchange.profile().orderbook_cache_ms
    }

    /// Answers with at most `limit` levels a side; a limit that cannot be read is the largest one.
    pub fn reply(&self, exchange: &Exchange, limit: Option<&str>) -> RestReply {
        let asked = limit.and_then(|text| text.parse::<usize>().ok());
        let limit = asked.unwrap_or(WINDOW_LEVELS).clamp(1, WINDOW_LEVELS);
        let scale = exchange.pairs()[self.pair.0].qty_scale;
        let rows = |levels: &[Level]| {
            let row = |level: &Level| (level.price.into(), Money(qty_padded(level.qty, scale)));
            levels.iter().take(limit).map(row).collect()
        };
        let book = RestBook {
            timestamp: Stamp::Float(self.at.ms()),
            bids: rows(&self.window.bids),
            asks: rows(&self.window.asks),
        };
        RestReply::success(Success::Public, book)
    }
}

/// Answers with the latest trades, newest first, at most 50.
pub fn trades(exchange: &Exchange, request: &RestRequest) -> RestReply {
    let pair = request
        .parameter("pairSymbol")
        .and_then(|text| exchange.find_pair(text));
    let Some(index) = pair else {
        return RestReply::bad_request("INVALID_PAIR");
    };
    let asked = request
        .parameter("last")
        .and_then(|text| text.parse::<usize>().ok());
    let count = asked.unwrap_or(TRADES_SHOWN).clamp(1, TRADES_SHOWN);
    let pair = &exchange.pairs()[index.0];
    let rows: Vec<RestTrade> = exchange
        .trades(index)
        .take(count)
        .map(|trade| RestTrade {
            pair: pair.symbol.to_string(),
            pair_normalized: Some(pair.normalized.clone()),
            numerator: Some(pair.base.to_string()),
            denominator: Some(pair.quote.to_string()),
            date: Stamp::Int(trade.at.ms()),
            tid: Id::Text(trade.id.map_or(0, |id| id.0)),
            price: trade.price.into(),
            amount: trade.qty.into(),
            side: trade.taker.map(|side| side.as_str().to_owned()),
        })
        .collect();
    RestReply::success(Success::Public, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_of_the_time_is_right_on_odd_days() {
        let check = |ms: i64, expected: &str| assert_eq!(iso(Timestamp::from_ms(ms)), expected);
        check(0, "1970-01-01T00:00:00.000Z");
        check(1_700_000_000_123, "2023-11-14T22:13:20.123Z");
        check(1_709_164_800_000, "2024-02-29T00:00:00.000Z");
        check(1_735_689_599_999, "2024-12-31T23:59:59.999Z");
    }
}
