//! What an indicator says about itself, and how one is made by name: see [`crate::table`] for all of them.

use crate::candle::Candle;
use crate::indicator::{Columns, Indicator, Values};
use crate::state::{StateFault, digest, open, seal};
use crate::sweep::take_all;
use std::fmt::Debug;

/// Most outputs an indicator may have.
pub const OUTPUTS_MAX: usize = 6;
/// Layout of a saved indicator.
const LAYOUT: u32 = 2;

/// A number that shapes an indicator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is unless said otherwise.
    pub default: f64,
    /// Smallest allowed.
    pub least: f64,
    /// Largest allowed.
    pub most: f64,
    /// True for counts and choices.
    pub is_whole: bool,
    /// Names of the values 0, 1, 2 ... of a choice; empty for numbers.
    pub choices: &'static [&'static str],
}

/// What an output is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Dollars.
    Dollars,
    /// Dollars squared.
    DollarsSquared,
    /// Percent, or a scale to 100.
    Percent,
    /// A pure number about 1.
    Ratio,
    /// Shares.
    Shares,
}

/// A value an indicator answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
}

/// How long a value depends on where history began.
#[derive(Clone, Copy)]
pub enum Memory {
    /// Not at all after so many bars: the value is a function of those bars alone.
    Window(fn(&[f64]) -> usize),
    /// By less than 1e-9 of itself after so many bars (counted generously for ordinary markets).
    Fading(fn(&[f64]) -> usize),
    /// Until a new session begins.
    Session,
    /// Always: it counts from the first bar, and only its changes mean anything.
    Forever,
}

/// What must hold among parameters, in words, and whether it does.
pub type Rule = (&'static str, fn(&[f64]) -> bool);

/// One indicator: the one place that names it.
pub struct Declaration {
    /// Its name in configuration, documentation and schemas.
    pub name: &'static str,
    /// The same in words.
    pub title: &'static str,
    /// Its parameters, in order.
    pub parameters: &'static [Parameter],
    /// Its outputs, in order.
    pub outputs: &'static [Output],
    /// Bars until its first full answer, by parameters.
    pub warm_up: fn(&[f64]) -> usize,
    /// How long history's beginning shows.
    pub memory: Memory,
    /// Where the formula is from.
    pub source: &'static str,
    /// Where it differs from a library on purpose; empty where it does not.
    pub differences: &'static str,
    /// What parameters must keep among each other: the rule, and whether they do.
    pub rule: Option<Rule>,
    /// Makes one; parameters are within bounds.
    pub make: fn(&[f64]) -> Box<dyn Core>,
}

/// Why an indicator cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MakeFault {
    /// No such indicator.
    #[error("there is no indicator `{0}`: docs/indicators.md lists all of them")]
    Name(String),
    /// No such parameter.
    #[error("indicator `{indicator}` has no parameter `{parameter}`: it has {has}")]
    Parameter {
        /// The indicator.
        indicator: &'static str,
        /// The name given.
        parameter: String,
        /// The names there are.
        has: String,
    },
    /// A parameter out of bounds, not whole, or not a number.
    #[error(
        "parameter `{parameter}` of indicator `{indicator}` is {value}: it must be {kind} from {least} to {most}"
    )]
    Bounds {
        /// The indicator.
        indicator: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// The value given.
        value: f64,
        /// A whole number or any number.
        kind: &'static str,
        /// Smallest allowed.
        least: f64,
        /// Largest allowed.
        most: f64,
    },
    /// Parameters that do not fit each other.
    #[error("indicator `{indicator}` with {parameters:?}: {rule}")]
    Rule {
        /// The indicator.
        indicator: &'static str,
        /// All its parameters.
        parameters: Vec<f64>,
        /// What must hold.
        rule: &'static str,
    },
}

impl Declaration {
    /// The defaults of all parameters.
    pub fn defaults(&self) -> Vec<f64> {
        self.parameters.iter().map(|parameter| parameter.default).collect()
    }

    /// One with these parameters by name, and defaults for the others.
    ///
    /// # Errors
    /// A parameter that does not exist or is out of bounds, or several that do not fit each other.
    pub fn with(&'static self, given: &[(&str, f64)]) -> Result<Built, MakeFault> {
        let mut parameters = self.defaults();
        for (name, value) in given {
            let at = self.parameters.iter().position(|parameter| parameter.name == *name);
            let at = at.ok_or_else(|| MakeFault::Parameter {
                indicator: self.name,
                parameter: (*name).to_string(),
                has: if self.parameters.is_empty() { "none".into() } else { self.parameter_names() },
            })?;
            parameters[at] = *value;
        }
        self.of(parameters)
    }

    /// One with all parameters in order.
    ///
    /// # Errors
    /// As [`Declaration::with`]; missing ones take their defaults, more than there are is a fault.
    pub fn of(&'static self, mut parameters: Vec<f64>) -> Result<Built, MakeFault> {
        if parameters.len() > self.parameters.len() {
            let parameter = format!("number {}", self.parameters.len() + 1);
            return Err(MakeFault::Parameter {
                indicator: self.name,
                parameter,
                has: self.parameter_names(),
            });
        }
        parameters.extend(self.parameters.iter().skip(parameters.len()).map(|parameter| parameter.default));
        for (parameter, value) in self.parameters.iter().zip(&parameters) {
            let is_in = (parameter.least..=parameter.most).contains(value);
            if !is_in || (parameter.is_whole && value.fract() != 0.0) {
                return Err(MakeFault::Bounds {
                    indicator: self.name,
                    parameter: parameter.name,
                    value: *value,
                    kind: if parameter.is_whole { "a whole number" } else { "a number" },
                    least: parameter.least,
                    most: parameter.most,
                });
            }
        }
        match self.rule {
            Some((rule, holds)) if !holds(&parameters) => {
                Err(MakeFault::Rule { indicator: self.name, parameters, rule })
            }
            _ => Ok(Built { core: (self.make)(&parameters), declaration: self, parameters }),
        }
    }

    fn parameter_names(&self) -> String {
        let names: Vec<&str> = self.parameters.iter().map(|parameter| parameter.name).collect();
        names.join(", ")
    }

    /// Name and parameters, as in `rsi(14)`.
    pub fn label(&self, parameters: &[f64]) -> String {
        let numbers: Vec<String> = parameters.iter().map(f64::to_string).collect();
        if numbers.is_empty() {
            self.name.to_string()
        } else {
            format!("{}({})", self.name, numbers.join(","))
        }
    }
}

impl Debug for Declaration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Declaration").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One output of many bars.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    /// The values; 0 where nothing is known.
    pub values: Vec<f64>,
    /// Whether the value is known.
    pub known: Vec<bool>,
}

/// An indicator whose kind is known only at run time.
pub trait Core: Debug + Send + Sync {
    /// See [`Built::forming`].
    fn forming(&self, candle: &Candle, out: &mut [Option<f64>]);
    /// See [`Built::take`].
    fn take(&mut self, candle: &Candle);
    /// See [`Built::update`].
    fn update(&mut self, candle: &Candle, out: &mut [Option<f64>]);
    /// See [`Built::batch`] and [`Built::one_by_one`].
    fn batch(&mut self, bars: &Columns<'_>, out: &mut [Column], by_column: bool);
    /// The state in bytes.
    fn save(&self, schema: u64) -> Vec<u8>;
    /// The state out of bytes.
    ///
    /// # Errors
    /// Bytes that were not saved by such an indicator.
    fn restore(&mut self, schema: u64, bytes: &[u8]) -> Result<(), StateFault>;
    /// A copy.
    fn copy(&self) -> Box<dyn Core>;
}

/// Puts an answer's values into their places; what is no number is not known.
fn put<V: Values>(answer: Option<V>, out: &mut [Option<f64>]) {
    for (output, place) in out[..V::COUNT].iter_mut().enumerate() {
        *place = answer.map(|values| values.value(output)).filter(|value| value.is_finite());
    }
}

impl<I> Core for I
where
    I: Indicator + Clone + Debug + Send + Sync + serde::Serialize + serde::de::DeserializeOwned + 'static,
{
    fn forming(&self, candle: &Candle, out: &mut [Option<f64>]) {
        put(Indicator::forming(self, candle), out);
    }

    fn take(&mut self, candle: &Candle) {
        Indicator::take(self, candle);
    }

    fn update(&mut self, candle: &Candle, out: &mut [Option<f64>]) {
        put(Indicator::update(self, candle), out);
    }

    fn batch(&mut self, bars: &Columns<'_>, out: &mut [Column], by_column: bool) {
        *self = take_all(self.clone(), bars, out, by_column);
    }

    fn save(&self, schema: u64) -> Vec<u8> {
        seal(LAYOUT, schema, self)
    }

    fn restore(&mut self, schema: u64, bytes: &[u8]) -> Result<(), StateFault> {
        *self = open("indicator", LAYOUT, schema, bytes)?;
        Ok(())
    }

    fn copy(&self) -> Box<dyn Core> {
        Box::new(self.clone())
    }
}

/// An indicator made by name.
#[derive(Debug)]
pub struct Built {
    declaration: &'static Declaration,
    parameters: Vec<f64>,
    core: Box<dyn Core>,
}

impl Clone for Built {
    fn clone(&self) -> Self {
        Self { declaration: self.declaration, parameters: self.parameters.clone(), core: self.core.copy() }
    }
}

impl Built {
    /// What it is.
    pub const fn declaration(&self) -> &'static Declaration {
        self.declaration
    }

    /// Its parameters, in the declaration's order.
    pub fn parameters(&self) -> &[f64] {
        &self.parameters
    }

    /// Name and parameters, as in `rsi(14)`.
    pub fn label(&self) -> String {
        self.declaration.label(&self.parameters)
    }

    /// Bars until its first full answer.
    pub fn warm_up(&self) -> usize {
        (self.declaration.warm_up)(&self.parameters)
    }

    /// Its answers if `candle` were the next finished bar, one for each output.
    pub fn forming(&self, candle: &Candle) -> [Option<f64>; OUTPUTS_MAX] {
        let mut out = [None; OUTPUTS_MAX];
        self.core.forming(candle, &mut out);
        out
    }

    /// Takes a finished bar.
    pub fn take(&mut self, candle: &Candle) {
        self.core.take(candle);
    }

    /// Takes a finished bar; answers as [`Built::forming`] would have.
    pub fn update(&mut self, candle: &Candle) -> [Option<f64>; OUTPUTS_MAX] {
        let mut out = [None; OUTPUTS_MAX];
        self.core.update(candle, &mut out);
        out
    }

    /// Takes many finished bars; `out` becomes one column for each output. Equal to [`Built::one_by_one`] but for
    /// rounding (less than 1e-12 of the prices it was made from), and faster.
    pub fn batch(&mut self, bars: &Columns<'_>, out: &mut Vec<Column>) {
        out.resize_with(self.declaration.outputs.len(), Column::default);
        self.core.batch(bars, out, true);
    }

    /// Takes many finished bars as [`Built::update`] would one after another, bit for bit.
    pub fn one_by_one(&mut self, bars: &Columns<'_>, out: &mut Vec<Column>) {
        out.resize_with(self.declaration.outputs.len(), Column::default);
        self.core.batch(bars, out, false);
    }

    /// Its state, exactly, with what it is: [`Built::restore`] into one of the same name and parameters.
    pub fn save(&self) -> Vec<u8> {
        self.core.save(digest(self.label().as_bytes()))
    }

    /// Takes a saved state over.
    ///
    /// # Errors
    /// Bytes that are cut, changed, of another layout, or of an indicator with another name or parameters; the state
    /// stays as it was.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), StateFault> {
        let schema = digest(self.label().as_bytes());
        self.core.restore(schema, bytes)
    }
}
