//! An expression of a template, judged before it runs: how much it may take to look at, and whether it reads the parts of a
//! content.

use minijinja::machinery::ast::{self, BinOpKind, CallArg, Expr};

/// Tests that look at the kind of a value alone.
pub(super) const KINDS: &str = " boolean callable defined even false filter float integer iterable mapping none number odd safe sequence \
                     string test true undefined ";
/// Tests that look at no more of a value than the other one has.
const COMPARISONS: &str = " == != < <= > >= eq equalto ge greaterthan gt le lessthan lt ne ";
/// Types of the parts of a content.
const PARTS: &str = " audio image image_url input_audio input_image input_text text video ";
/// Bytes of a constant that may be compared with anything for nothing.
pub(super) const SMALL: usize = 64;

pub(super) fn is_const(expr: &Expr) -> bool {
    matches!(expr, Expr::Const(_))
}

pub(super) fn among(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|known| known == name)
}

/// Whether the test that these name, and what they compare with, look at no more of an item than a small constant has.
pub(super) fn is_simple_test(args: &[CallArg]) -> bool {
    let small = |arg: &CallArg| matches!(arg, CallArg::Pos(arg) if is_small(arg));
    let name = match args.first() {
        None => return true,
        Some(CallArg::Pos(Expr::Const(name))) => name.value.as_str().unwrap_or_default(),
        Some(_) => return false,
    };
    (among(KINDS, name) || among(COMPARISONS, name)) && args.iter().all(small)
}

/// Whether it is a constant that takes no time to look at.
pub(super) fn is_small(expr: &Expr) -> bool {
    match expr {
        Expr::Const(constant) => constant.value.as_str().is_none_or(|text| text.len() <= SMALL),
        Expr::UnaryOp(all) => matches!(all.op, ast::UnaryOpKind::Neg) && is_small(&all.expr),
        _ => false,
    }
}

pub(super) fn is_number(expr: &Expr) -> bool {
    matches!(expr, Expr::Const(constant) if constant.value.is_number())
}

/// Whether it can only be a text.
pub(super) fn is_text(expr: &Expr) -> bool {
    match expr {
        Expr::Const(constant) => constant.value.as_str().is_some(),
        Expr::BinOp(all) => match all.op {
            BinOpKind::Concat => true,
            BinOpKind::Add => is_text(&all.left) || is_text(&all.right),
            _ => false,
        },
        _ => false,
    }
}

/// Whether a loop over it goes over the parts of a content.
pub(super) fn is_content(expr: &Expr) -> bool {
    match expr {
        Expr::Var(var) => var.id == "content",
        Expr::Filter(all) => all.expr.as_ref().is_some_and(is_content),
        Expr::Slice(all) => is_content(&all.expr),
        expr => is_named(expr, "content"),
    }
}

/// Whether it compares the type of a part.
pub(super) fn asks_for_part(left: &Expr, right: &Expr) -> bool {
    let kind =
        |expr: &Expr| matches!(expr, Expr::Const(kind) if kind.value.as_str().is_some_and(|kind| among(PARTS, kind)));
    (is_named(left, "type") && kind(right)) || (is_named(right, "type") && kind(left))
}

/// Whether it is `x.name` or `x['name']`.
fn is_named(expr: &Expr, name: &str) -> bool {
    match expr {
        Expr::GetAttr(attr) => attr.name == name,
        Expr::GetItem(item) => matches!(&item.subscript_expr, Expr::Const(key) if key.value.as_str() == Some(name)),
        _ => false,
    }
}

/// Whether an attribute is assigned to.
pub(super) fn has_attribute(target: &Expr) -> bool {
    match target {
        Expr::GetAttr(_) => true,
        Expr::List(list) => list.items.iter().any(has_attribute),
        _ => false,
    }
}
