//! `cycler` and `joiner`, which give something else each time. What they give is fixed when they are made, and they cannot
//! be put into another value (`budget`), so they make no circle.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use super::reasons::wrong;

/// Whether a value is a cycler or a joiner.
pub(super) fn is_one(value: &Value) -> bool {
    value.downcast_object_ref::<Cycler>().is_some() || value.downcast_object_ref::<Joiner>().is_some()
}

#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    next: AtomicUsize,
}

/// `cycler('a', 'b')`: `next()` gives them in turn, `current` is the one that comes, `reset()` begins again.
pub(super) fn cycler(items: Vec<Value>) -> Result<Value, Error> {
    if items.is_empty() {
        return Err(wrong("cycler needs a value"));
    }
    Ok(Value::from_object(Cycler { items, next: AtomicUsize::new(0) }))
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("current")).then(|| self.items[self.next.load(Relaxed)].clone())
    }

    fn call_method(self: &Arc<Self>, _: &mut State, name: &str, args: &[Value]) -> Result<Value, Error> {
        match (name, args) {
            ("next", []) => {
                let at = self.next.load(Relaxed);
                self.next.store((at + 1) % self.items.len(), Relaxed);
                Ok(self.items[at].clone())
            }
            ("reset", []) => {
                self.next.store(0, Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<cycler>")
    }
}

#[derive(Debug)]
struct Joiner {
    separator: Value,
    /// Calls so far, up to one.
    calls: AtomicUsize,
}

/// `joiner(', ')`: nothing when it is called first, the separator each time after.
pub(super) fn joiner(separator: Value) -> Value {
    Value::from_object(Joiner { separator, calls: AtomicUsize::new(0) })
}

impl Object for Joiner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State, args: &[Value]) -> Result<Value, Error> {
        if !args.is_empty() {
            return Err(Error::from(ErrorKind::TooManyArguments));
        }
        let first = self.calls.swap(1, Relaxed) == 0;
        Ok(if first { Value::from("") } else { self.separator.clone() })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<joiner>")
    }
}
