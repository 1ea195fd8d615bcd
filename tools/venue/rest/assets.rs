//! What is listed: assets and option contracts.

use super::{Call, Reply};
use crate::core::Core;
use alpaca::Decimal;
use alpaca::account::{Asset, ContractBody, ContractPage};
use alpaca::words::AssetClass;
use exchange::asset_id;
use exchange::market_model::parameters;
use market::{Contract, Date, Price, Right, Symbol, product, time::Weekday};

fn asset_of(core: &Core, symbol: Symbol) -> Asset {
    let p = parameters::of(symbol);
    let mut attributes = vec!["fractional_eh_enabled".to_string()];
    if !core.source.contracts(symbol, core.today()).is_empty() {
        attributes.push("has_options".into());
        if product::closes_late(&symbol) {
            attributes.push("options_late_close".into());
        }
    }
    Asset {
        id: asset_id(symbol.as_str()).to_string(),
        class: AssetClass::UsEquity,
        exchange: p.exchange.into(),
        symbol: symbol.to_string(),
        name: p.name.into(),
        status: "active".into(),
        tradable: true,
        marginable: true,
        shortable: true,
        easy_to_borrow: true,
        borrow_status: Some("easy_to_borrow".into()),
        fractionable: true,
        maintenance_margin_requirement: Some(30.0),
        margin_requirement_long: Some(Decimal::whole(30)),
        margin_requirement_short: Some(Decimal::whole(30)),
        attributes,
    }
}

/// `GET /assets`
pub fn assets(core: &mut Core, call: &Call) -> Result<Reply, Reply> {
    let foreign = call.text("asset_class").is_some_and(|class| class != "us_equity");
    let inactive = call.text("status").is_some_and(|status| status == "inactive");
    let wanted = call.list("attributes");
    let mut all = Vec::new();
    if !foreign && !inactive {
        all.extend(core.source.symbols().into_iter().map(|symbol| asset_of(core, symbol)));
    }
    all.retain(|asset: &Asset| {
        call.text("exchange").is_none_or(|exchange| asset.exchange == exchange)
            && wanted.iter().all(|name| asset.attributes.iter().any(|a| a == name))
    });
    Ok(Reply::json(&all))
}

/// `GET /assets/{symbol or id}`
pub fn asset(core: &mut Core, name: &str) -> Result<Reply, Reply> {
    let named = |s: &Symbol| s.as_str() == name || asset_id(s.as_str()).to_string() == name;
    let symbol = core.source.symbols().into_iter().find(named);
    let symbol = symbol.ok_or_else(|| Reply::not_found(&format!("asset not found for {name}")))?;
    Ok(Reply::json(&asset_of(core, symbol)))
}

/// True for classes that quote in cents.
fn is_penny(root: Symbol) -> bool {
    parameters::TABLE.iter().any(|p| p.symbol == root)
}

fn contract_body(core: &Core, contract: &Contract) -> ContractBody {
    let symbol = contract.to_string();
    let facts = core.source.facts(*contract);
    let (year, month, day) = contract.expiry.ymd();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months[(month as usize + 11) % 12];
    let right = if contract.right == Right::Call { "Call" } else { "Put" };
    let strike = Decimal::from(contract.strike());
    let expired = contract.expiry < core.today();
    let before = market::session::previous_session(core.today()).map(|s| s.date);
    ContractBody {
        id: asset_id(&symbol).to_string(),
        name: format!("{} {month} {day:02} {year} {strike} {right}", contract.root),
        symbol,
        status: if expired { "inactive" } else { "active" }.into(),
        tradable: !expired && !contract.is_adjusted(),
        expiration_date: contract.expiry,
        root_symbol: contract.root.to_string(),
        underlying_symbol: contract.root.to_string(),
        underlying_asset_id: asset_id(contract.root.as_str()).to_string(),
        right: contract.right,
        style: if product::is_american(&contract.root) { "american" } else { "european" }.into(),
        strike_price: strike,
        multiplier: Decimal::whole(100),
        size: Decimal::whole(100),
        open_interest: facts.open_interest.map(|(contracts, _)| Decimal::whole(contracts.into())),
        open_interest_date: facts.open_interest.map(|(_, date)| date),
        close_price: facts.previous_close.map(Decimal::from),
        close_price_date: facts.previous_close.and(before),
        ppind: Some(is_penny(contract.root)),
    }
}

/// Which contracts are asked for; shared with the chain snapshots.
#[derive(Clone, Debug, Default)]
pub struct ContractFilter {
    from: Option<Date>,
    to: Option<Date>,
    right: Option<Right>,
    root: Option<String>,
    strike_from: Option<Price>,
    strike_to: Option<Price>,
}

impl ContractFilter {
    /// Reads the parameters both endpoints share.
    pub fn read(call: &Call) -> Result<Self, Reply> {
        let on = call.parsed::<Date>("expiration_date")?;
        let right = match call.text("type") {
            None => None,
            Some("call") => Some(Right::Call),
            Some("put") => Some(Right::Put),
            Some(other) => return Err(Reply::bad("type", other)),
        };
        let strike = |name| -> Result<Option<Price>, Reply> {
            Ok(call.parsed::<Decimal>(name)?.and_then(Decimal::to_price))
        };
        Ok(Self {
            from: on.or(call.parsed("expiration_date_gte")?),
            to: on.or(call.parsed("expiration_date_lte")?),
            right,
            root: call.text("root_symbol").map(Into::into),
            strike_from: strike("strike_price_gte")?,
            strike_to: strike("strike_price_lte")?,
        })
    }
    /// True when the contract passes.
    pub fn takes(&self, contract: &Contract) -> bool {
        self.from.is_none_or(|from| contract.expiry >= from)
            && self.to.is_none_or(|to| contract.expiry <= to)
            && self.right.is_none_or(|right| contract.right == right)
            && self.root.as_ref().is_none_or(|root| contract.root.as_str() == root)
            && self.strike_from.is_none_or(|from| contract.strike() >= from)
            && self.strike_to.is_none_or(|to| contract.strike() <= to)
    }
}

/// `GET /options/contracts`. Without any expiry parameter only contracts up to the coming weekend are listed:
/// the broker's trap, kept.
pub fn contracts(core: &mut Core, call: &Call) -> Result<Reply, Reply> {
    let mut filter = ContractFilter::read(call)?;
    let (offset, limit) = call.page(100, 10_000)?;
    let today = core.today();
    if filter.from.is_none() && filter.to.is_none() {
        filter.to = Some(today.plus(Weekday::Sunday as i32 - today.weekday() as i32));
    }
    let inactive = call.text("status").is_some_and(|status| status == "inactive");
    let european = call.text("style").is_some_and(|style| style == "european");
    let asked = call.list("underlying_symbols");
    let mut found = Vec::new();
    for symbol in core.source.symbols() {
        if (asked.is_empty() || asked.contains(&symbol.as_str())) && !inactive && !european {
            found.extend(core.source.contracts(symbol, today).into_iter().filter(|c| filter.takes(c)));
        }
    }
    let option_contracts: Vec<_> =
        found.iter().skip(offset).take(limit).map(|c| contract_body(core, c)).collect();
    let end = offset + option_contracts.len();
    let next_page_token = (end < found.len()).then(|| end.to_string());
    Ok(Reply::json(&ContractPage { option_contracts, next_page_token }))
}

/// `GET /options/contracts/{symbol or id}`
pub fn contract(core: &mut Core, name: &str) -> Result<Reply, Reply> {
    let contract = find_contract(core, name);
    let contract = contract.ok_or_else(|| Reply::not_found(&format!("option contract {name} not found")))?;
    Ok(Reply::json(&contract_body(core, &contract)))
}

/// A listed contract by symbol or id.
pub fn find_contract(core: &Core, name: &str) -> Option<Contract> {
    if let Some(contract) = Contract::parse_occ(name.as_bytes()) {
        return core.source.is_listed(&contract).then_some(contract);
    }
    let today = core.today();
    let all = core.source.symbols().into_iter().flat_map(|symbol| core.source.contracts(symbol, today));
    all.into_iter().find(|contract| asset_id(&contract.occ()).to_string() == name)
}
