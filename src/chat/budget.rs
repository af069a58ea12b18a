//! The budget of a template while it runs, one for steps and bytes.
//!
//! minijinja's fuel pays for each instruction, for each byte of output and of a new text, and for each slot of a new list.
//! It does not see how large a value is inside: a list that holds another a thousand times costs a thousand slots,
//! but is printed, compared or sorted with all that it holds. Therefore two rules, kept by what `guard` puts around
//! operations and by the filters and methods of `library`:
//!
//! - **Before a value is walked, it is paid for** ([`pay`]), as large as the walk will find it.
//! - **A value that holds others is looked through when it comes to be** ([`settled`]): it is nested at most [`MAX_DEPTH`]
//!   deep, it holds no namespace, loop or cycler, which alone can change and so make a circle, and what would be computed
//!   only when it is looked at is computed and paid for now.

use std::sync::LazyLock;

use minijinja::value::{DynObject, Tuple, ValueKind};
use minijinja::{Error, State, Value};

use super::changing;
use super::reasons::wrong;

/// Nesting of values. Destructors, comparisons and printing call themselves for each level.
pub(super) const MAX_DEPTH: usize = 100;

/// minijinja's units in one of fuel: an instruction costs all of them, a new byte one.
const FUEL: u64 = 64;
/// Units for a value that is printed or compared, with what stands between it and the next.
const NODE: u64 = 64;
/// Units for a float, which may be printed with 300 digits.
const FLOAT: u64 = 320;
/// Units for a look at a value, and for a place for it in a list.
const LOOK: u64 = 16;
const PLACE: u64 = 32;
/// Units for a byte of a text within another value, which is written with escapes, up to six bytes for one.
const INNER_BYTE: u64 = 8;

/// Fuel for a template whatever it is given: 3 MB of values, or instructions for some 3 ms, ten times as long in a page.
const BASE: u64 = 50_000;
/// Fuel for each value that the caller gives, such as a message, its role and its content. Real templates use 10 to 40.
const PER_VALUE: u64 = 500;
/// Bytes that the caller gives, for one more of fuel. Real templates make up to 10 bytes of one.
const BYTES: u64 = 2;

/// Fuel for a template that is given so much.
pub(super) fn fuel(values: u64, bytes: u64) -> u64 {
    BASE + values * PER_VALUE + bytes / BYTES
}

/// Charges units that are less than one of fuel together.
pub(super) struct Meter<'s, 'a, 'b> {
    state: &'s State<'a, 'b>,
    owed: u64,
    pub total: u64,
}

impl<'s, 'a, 'b> Meter<'s, 'a, 'b> {
    pub fn new(state: &'s State<'a, 'b>) -> Self {
        Meter { state, owed: 0, total: 0 }
    }

    pub fn charge(&mut self, units: u64) -> Result<(), Error> {
        self.total = self.total.saturating_add(units);
        self.owed = self.owed.saturating_add(units);
        if self.owed < FUEL {
            return Ok(());
        }
        let fuel = self.owed / FUEL;
        self.owed %= FUEL;
        self.state.consume_fuel(fuel)
    }

    /// For a new item of a list.
    pub fn charge_item(&mut self, bytes: usize) -> Result<(), Error> {
        self.charge(PLACE + bytes as u64)
    }

    fn walk(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        check_depth(depth)?;
        match value.kind() {
            ValueKind::String if depth == 0 => self.charge(value.as_str().map_or(0, str::len) as u64),
            ValueKind::String => self.charge(NODE + INNER_BYTE * value.as_str().map_or(0, str::len) as u64),
            ValueKind::Bytes => self.charge(NODE + INNER_BYTE * value.len().unwrap_or(0) as u64),
            ValueKind::Seq | ValueKind::Iterable => {
                self.charge(NODE)?;
                value.try_iter()?.checked().try_for_each(|item| self.walk(&item?, depth + 1))
            }
            ValueKind::Map => {
                self.charge(NODE)?;
                value.try_iter()?.checked().try_for_each(|key| {
                    let key = key?;
                    self.walk(&key, depth + 1)?;
                    self.walk(&value.get_item(&key)?, depth + 1)
                })
            }
            ValueKind::Number if depth > 0 && !value.is_integer() => self.charge(FLOAT),
            _ => self.charge(if depth == 0 { 0 } else { NODE }),
        }
    }

    fn settle(&mut self, value: &Value, depth: usize) -> Result<Option<Value>, Error> {
        if depth > 0 {
            self.charge(LOOK)?;
        }
        check_depth(depth)?;
        match value.kind() {
            ValueKind::Iterable => {
                let mut items = Vec::new();
                for item in value.try_iter()?.checked() {
                    let item = item?;
                    self.charge(PLACE)?;
                    items.push(self.settle(&item, depth + 1)?.unwrap_or(item));
                }
                Ok(Some(Value::from(items)))
            }
            ValueKind::Seq => {
                // A list that is changed is copied from where it first is.
                let mut copy: Option<Vec<Value>> = None;
                for (i, item) in value.try_iter()?.checked().enumerate() {
                    let item = item?;
                    match (self.settle(&item, depth + 1)?, &mut copy) {
                        (Some(changed), Some(copy)) => copy.push(changed),
                        (Some(changed), None) => {
                            let mut before: Vec<Value> = value.try_iter()?.take(i).collect();
                            before.push(changed);
                            copy = Some(before);
                        }
                        (None, Some(copy)) => copy.push(item),
                        (None, None) => {}
                    }
                }
                let Some(copy) = copy else { return Ok(None) };
                Ok(match (value.is_tuple(), value.downcast_object_ref::<Vec<Value>>()) {
                    (true, _) => Some(Value::from(Tuple::from(copy))),
                    (false, Some(_)) => Some(Value::from(copy)),
                    // Another kind of object, with attributes: what `groupby` makes. It cannot change.
                    (false, None) => None,
                })
            }
            ValueKind::Map if is_plain_map(value) => {
                let mut pairs = Vec::new();
                let mut changed = false;
                for key in value.try_iter()?.checked() {
                    let key = key?;
                    let inner = value.get_item(&key)?;
                    let settled = (self.settle(&key, depth + 1)?, self.settle(&inner, depth + 1)?);
                    changed |= settled.0.is_some() || settled.1.is_some();
                    pairs.push((settled.0.unwrap_or(key), settled.1.unwrap_or(inner)));
                }
                Ok(changed.then(|| Value::from_pairs(pairs)))
            }
            ValueKind::Map if depth > 0 => {
                Err(wrong("a namespace, a loop or a macro cannot be put into another value"))
            }
            ValueKind::Plain if depth > 0 && changing::is_one(value) => {
                Err(wrong("a cycler or a joiner cannot be put into another value"))
            }
            _ => Ok(None),
        }
    }
}

fn check_depth(depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(wrong("the template nests a value too deeply"));
    }
    Ok(())
}

/// Whether a map is no namespace, loop or macro, but what a literal makes.
pub(super) fn is_plain_map(value: &Value) -> bool {
    static PLAIN: LazyLock<&str> = LazyLock::new(|| type_name(&Value::from_pairs([("", "")])));
    type_name(value) == *PLAIN
}

fn type_name(value: &Value) -> &'static str {
    value.as_object().map_or("", DynObject::type_name)
}

/// Charges for all that a walk over the value visits and would write. Gives the units.
pub(super) fn pay(state: &State, value: &Value) -> Result<u64, Error> {
    let mut meter = Meter::new(state);
    meter.walk(value, 0)?;
    Ok(meter.total)
}

/// The value, looked through and computed.
pub(super) fn settled(state: &State, value: Value) -> Result<Value, Error> {
    Ok(Meter::new(state).settle(&value, 0)?.unwrap_or(value))
}

/// As [`settled`], of a value that is put into something that can change.
pub(super) fn held(state: &State, value: Value) -> Result<Value, Error> {
    Ok(Meter::new(state).settle(&value, 1)?.unwrap_or(value))
}
