//! A template's syntax tree → the tree that is run, with what the budget asks for around each operation. minijinja's operators
//! cannot be replaced, so the tree is copied with calls of functions of our own in it, whose names no template can write:
//!
//! | around | what | why |
//! |---|---|---|
//! | `==`, `<`, `in`, filters, tests, keys | [`PAY`] on the operands | they walk, print or hash what they are given |
//! | `~` | [`PRINT`] on the operands | it prints those that are no text |
//! | subscripts, slices | [`TOUCH`] on the operand | they count a text's characters |
//! | loops | [`ITEMS`] on the operand | minijinja does not see the end of a text |
//! | `[]`, `{}`, `+`, slices, filters | [`SETTLE`] on the result | it holds other values, or is computed later |
//! | `set ns.x`, `loop.changed` | [`HOLD`] on the value | only there can a value get into itself |
//! | `*`, `%` | [`TIMES`], [`REMAINDER`] instead | they make much of little, of a text too |
//! | calls of macros that name `varargs` or `kwargs` | [`VARIADIC`] instead | minijinja's take what they name alone |
//! | `loop.cycle`, bounds of slices | [`CYCLE`], [`BOUND`] | minijinja panics at some |
//!
//! A call also keeps the compiler from computing an operation before it is paid for. Constants need none of it: the source
//! bounds them.

use std::collections::BTreeSet;

use minijinja::Value;
use minijinja::machinery::Span;
use minijinja::machinery::ast::{self, BinOpKind, CallArg, Expr, Spanned, Stmt};
use minijinja::value::Tuple;

use super::expressions::{
    KINDS, SMALL, among, asks_for_part, has_attribute, is_const, is_content, is_number, is_simple_test, is_small,
    is_text,
};
use crate::{Error, Result};

pub(super) const PAY: &str = "|pay";
pub(super) const PRINT: &str = "|print";
pub(super) const TOUCH: &str = "|touch";
pub(super) const SETTLE: &str = "|settle";
pub(super) const HOLD: &str = "|hold";
pub(super) const ITEMS: &str = "|items";
pub(super) const TIMES: &str = "|times";
pub(super) const REMAINDER: &str = "|remainder";
pub(super) const VARIADIC: &str = "|variadic";
pub(super) const CYCLE: &str = "|cycle";
pub(super) const BOUND: &str = "|bound";

/// A macro's names of the arguments that no parameter takes.
pub(super) const REST: [&str; 2] = ["varargs", "kwargs"];

/// Filters that look at no more of their operand than minijinja charges for, or that charge for themselves (`library`).
const SHALLOW: &str = " abs attr batch bool count d default first float int items last length list reverse round slice \
                       split sum tojson ";
/// Filters whose result is a text or a number, or one of the values that they were given.
const FLAT: &str = " abs attr bool capitalize center count d default e escape filesizeformat first float forceescape \
                    format indent int join last length lower replace round safe string striptags title tojson trim \
                    truncate upper urlencode wordcount ";

/// A template's tree with guards in it.
pub(super) struct Guarded<'s> {
    pub tree: Stmt<'s>,
    /// The names of the variables that it reads.
    pub reads: BTreeSet<&'s str>,
    /// Whether it goes over the parts of a content, or asks for their types.
    pub reads_parts: bool,
}

/// The tree that is run.
///
/// # Errors
/// `TEMPLATE` for a construct that cannot be run soundly.
pub(super) fn guarded<'s>(template: &Stmt<'s>) -> Result<Guarded<'s>> {
    let mut guard = Guard::default();
    let Stmt::Template(all) = template else { unreachable!("the parser gives a template") };
    let children = guard.body(&all.children)?;
    let tree = Stmt::Template(Spanned::new(ast::Template { children }, all.span()));
    Ok(Guarded { tree, reads: guard.reads, reads_parts: guard.reads_parts })
}

#[derive(Default)]
struct Guard<'s> {
    reads: BTreeSet<&'s str>,
    reads_parts: bool,
    /// Macros that name `varargs` or `kwargs`.
    variadic: BTreeSet<&'s str>,
    /// Blocks since the loop that `break` and `continue` would have to leave.
    frames: usize,
}

impl<'s> Guard<'s> {
    fn body(&mut self, body: &[Stmt<'s>]) -> Result<Vec<Stmt<'s>>> {
        body.iter().map(|stmt| self.stmt(stmt)).collect()
    }

    /// The body of a block that has to be left by its end.
    fn framed(&mut self, body: &[Stmt<'s>]) -> Result<Vec<Stmt<'s>>> {
        self.frames += 1;
        let body = self.body(body);
        self.frames -= 1;
        body
    }

    fn stmt(&mut self, stmt: &Stmt<'s>) -> Result<Stmt<'s>> {
        Ok(match stmt {
            Stmt::Template(_) => unreachable!("a template is in no other"),
            Stmt::EmitExpr(emit) => {
                // `{{ loop(…) }}` stays a call, which is compiled in another way.
                Stmt::EmitExpr(Spanned::new(ast::EmitExpr { expr: self.expr(&emit.expr) }, emit.span()))
            }
            Stmt::EmitRaw(raw) => Stmt::EmitRaw(Spanned::new(ast::EmitRaw { raw: raw.raw }, raw.span())),
            Stmt::ForLoop(all) => {
                let around = std::mem::take(&mut self.frames);
                self.reads_parts |= is_content(&all.iter);
                let guarded = ast::ForLoop {
                    target: self.target(&all.target),
                    iter: self.wrapped(ITEMS, &all.iter),
                    filter_expr: all.filter_expr.as_ref().map(|filter| self.expr(filter)),
                    recursive: all.recursive,
                    body: self.body(&all.body)?,
                    else_body: self.body(&all.else_body)?,
                };
                self.frames = around;
                Stmt::ForLoop(Spanned::new(guarded, all.span()))
            }
            Stmt::IfCond(all) => {
                let guarded = ast::IfCond {
                    expr: self.expr(&all.expr),
                    true_body: self.body(&all.true_body)?,
                    false_body: self.body(&all.false_body)?,
                };
                Stmt::IfCond(Spanned::new(guarded, all.span()))
            }
            Stmt::WithBlock(all) => {
                let assignments = all.assignments.iter();
                let assignments = assignments.map(|(target, value)| (self.target(target), self.expr(value))).collect();
                let body = self.framed(&all.body)?;
                Stmt::WithBlock(Spanned::new(ast::WithBlock { assignments, body }, all.span()))
            }
            Stmt::Set(set) => {
                let expr = match has_attribute(&set.target) && !is_text(&set.expr) && !is_small(&set.expr) {
                    true => self.wrapped(HOLD, &set.expr),
                    false => self.expr(&set.expr),
                };
                Stmt::Set(Spanned::new(ast::Set { target: self.target(&set.target), expr }, set.span()))
            }
            Stmt::SetBlock(set) => {
                let body = self.framed(&set.body)?;
                let filter = set.filter.as_ref().map(|filter| match has_attribute(&set.target) {
                    true => self.wrapped(HOLD, filter),
                    false => self.expr(filter),
                });
                let target = self.target(&set.target);
                Stmt::SetBlock(Spanned::new(ast::SetBlock { target, filter, body }, set.span()))
            }
            Stmt::AutoEscape(all) => {
                let guarded = ast::AutoEscape { enabled: self.paid(&all.enabled), body: self.framed(&all.body)? };
                Stmt::AutoEscape(Spanned::new(guarded, all.span()))
            }
            Stmt::FilterBlock(all) => {
                let body = self.framed(&all.body)?;
                let filter = self.expr(&all.filter);
                let guarded = ast::FilterBlock { filter, filter_span: all.filter_span, body };
                Stmt::FilterBlock(Spanned::new(guarded, all.span()))
            }
            Stmt::Macro(all) => Stmt::Macro(Spanned::new(self.macro_decl(all)?, all.span())),
            Stmt::CallBlock(all) => {
                let macro_decl = Spanned::new(self.macro_decl(&all.macro_decl)?, all.macro_decl.span());
                let call = Spanned::new(self.call(&all.call), all.call.span());
                let guarded = ast::CallBlock { call, call_expr_span: all.call_expr_span, macro_decl };
                Stmt::CallBlock(Spanned::new(guarded, all.span()))
            }
            Stmt::Continue(all) => Stmt::Continue(self.leaves("continue", all.span(), ast::Continue)?),
            Stmt::Break(all) => Stmt::Break(self.leaves("break", all.span(), ast::Break)?),
            Stmt::Do(all) => {
                let call = Spanned::new(self.call(&all.call), all.call.span());
                Stmt::Do(Spanned::new(ast::Do { call }, all.span()))
            }
        })
    }

    /// minijinja jumps out of a loop without closing the blocks in between, and panics later.
    fn leaves<T>(&self, name: &str, span: Span, stmt: T) -> Result<Spanned<T>> {
        match self.frames {
            0 => Ok(Spanned::new(stmt, span)),
            _ => {
                let reason = format!("{name} cannot leave a block within the loop");
                Err(Error::Template { line: span.start_line.into(), reason })
            }
        }
    }

    fn macro_decl(&mut self, all: &Spanned<ast::Macro<'s>>) -> Result<ast::Macro<'s>> {
        let around = (std::mem::take(&mut self.frames), std::mem::take(&mut self.reads));
        let mut body = self.body(&all.body)?;
        let mut args: Vec<_> = all.args.iter().map(|arg| self.target(arg)).collect();
        let mut defaults = self.exprs(&all.defaults);
        if !all.defaults.iter().all(is_const) {
            // minijinja computes the last default first, before the parameters that it may name are there.
            let with_default = all.args.iter().skip(args.len() - defaults.len());
            let set = with_default.zip(defaults.drain(..)).map(|(arg, default)| self.set_default(arg, default));
            body.splice(..0, set.collect::<Vec<_>>());
        }
        if REST.iter().any(|name| self.reads.contains(name)) {
            self.variadic.insert(all.name);
            let none = [Value::from(Tuple::from(Vec::new())), Value::from_pairs::<[(&str, &str); 0], _, _>([])];
            args.extend(REST.map(|name| variable(name, all.span())));
            defaults.extend(none.map(|value| Expr::Const(Spanned::new(ast::Const { value }, all.span()))));
        }
        self.frames = around.0;
        self.reads.extend(around.1);
        Ok(ast::Macro { name: all.name, args, defaults, body })
    }

    /// `{% set arg = default if arg is undefined else arg %}`
    fn set_default(&mut self, arg: &Expr<'s>, default: Expr<'s>) -> Stmt<'s> {
        let span = arg.span();
        let test = ast::Test { name: "undefined", expr: self.target(arg), args: Vec::new() };
        let expr = Expr::IfExpr(Spanned::new(
            ast::IfExpr {
                test_expr: Expr::Test(Spanned::new(test, span)),
                true_expr: default,
                false_expr: Some(self.target(arg)),
            },
            span,
        ));
        Stmt::Set(Spanned::new(ast::Set { target: self.target(arg), expr }, span))
    }

    /// Copies the target of an assignment.
    fn target(&mut self, target: &Expr<'s>) -> Expr<'s> {
        match target {
            Expr::Var(var) => Expr::Var(Spanned::new(ast::Var { id: var.id }, var.span())),
            Expr::GetAttr(attr) => {
                let expr = self.expr(&attr.expr);
                Expr::GetAttr(Spanned::new(ast::GetAttr { name: attr.name, expr }, attr.span()))
            }
            Expr::List(list) => {
                let items = list.items.iter().map(|item| self.target(item)).collect();
                Expr::List(Spanned::new(ast::List { items }, list.span()))
            }
            _ => unreachable!("the parser assigns to names, attributes and lists of them"),
        }
    }

    fn expr(&mut self, expr: &Expr<'s>) -> Expr<'s> {
        let span = expr.span();
        match expr {
            Expr::Var(var) => {
                self.reads.insert(var.id);
                Expr::Var(Spanned::new(ast::Var { id: var.id }, span))
            }
            Expr::Const(value) => Expr::Const(Spanned::new(ast::Const { value: value.value.clone() }, span)),
            Expr::UnaryOp(all) => {
                let negated = matches!(all.op, ast::UnaryOpKind::Neg);
                let op = if negated { ast::UnaryOpKind::Neg } else { ast::UnaryOpKind::Not };
                Expr::UnaryOp(Spanned::new(ast::UnaryOp { op, expr: self.expr(&all.expr) }, span))
            }
            Expr::BinOp(all) => self.bin_op(all),
            Expr::Compare(all) => {
                self.reads_parts |= all.ops.iter().any(|op| asks_for_part(&all.expr, &op.expr));
                let ops = all.ops.iter().map(|op| ast::CompareOp { op: op.op, expr: self.paid(&op.expr) });
                let ops = ops.collect();
                Expr::Compare(Spanned::new(ast::Compare { expr: self.paid(&all.expr), ops }, span))
            }
            Expr::IfExpr(all) => {
                let guarded = ast::IfExpr {
                    test_expr: self.expr(&all.test_expr),
                    true_expr: self.expr(&all.true_expr),
                    false_expr: all.false_expr.as_ref().map(|expr| self.expr(expr)),
                };
                Expr::IfExpr(Spanned::new(guarded, span))
            }
            Expr::Filter(all) => self.filter(all),
            Expr::Test(all) => {
                let kind = among(KINDS, all.name);
                let expr = if kind { self.expr(&all.expr) } else { self.paid(&all.expr) };
                let args = self.args(&all.args, Self::paid);
                Expr::Test(Spanned::new(ast::Test { name: all.name, expr, args }, span))
            }
            Expr::GetAttr(all) => {
                let expr = self.expr(&all.expr);
                Expr::GetAttr(Spanned::new(ast::GetAttr { name: all.name, expr }, span))
            }
            Expr::GetItem(all) => {
                // `x['name']` and `x[0]` are looked up directly, whatever x is.
                let direct = match &all.subscript_expr {
                    Expr::Const(key) => key.value.as_str().is_some() || key.value.as_usize().is_some_and(|i| i < SMALL),
                    _ => false,
                };
                let expr = if direct { self.expr(&all.expr) } else { self.touched(&all.expr) };
                let subscript_expr = self.paid(&all.subscript_expr);
                Expr::GetItem(Spanned::new(ast::GetItem { expr, subscript_expr }, span))
            }
            Expr::Slice(all) => {
                let mut bound = |bound: &Option<Expr<'s>>| {
                    bound.as_ref().map(|bound| match bound {
                        Expr::Const(i) if i.value.as_usize().is_some_and(|i| i < SMALL) => self.expr(bound),
                        _ => self.wrapped(BOUND, bound),
                    })
                };
                let (start, stop, step) = (bound(&all.start), bound(&all.stop), bound(&all.step));
                let expr = self.touched(&all.expr);
                call(SETTLE, Expr::Slice(Spanned::new(ast::Slice { expr, start, stop, step }, span)))
            }
            Expr::Call(all) => Expr::Call(Spanned::new(self.call(all), span)),
            Expr::List(all) => {
                let list = Expr::List(Spanned::new(ast::List { items: self.exprs(&all.items) }, span));
                if all.items.iter().all(is_const) { list } else { call(SETTLE, list) }
            }
            Expr::Tuple(all) => {
                let tuple = Expr::Tuple(Spanned::new(ast::Tuple { items: self.exprs(&all.items) }, span));
                if all.items.iter().all(is_const) { tuple } else { call(SETTLE, tuple) }
            }
            Expr::Map(all) => {
                let keys = all.keys.iter().map(|key| self.paid(key)).collect();
                let map = Expr::Map(Spanned::new(ast::Map { keys, values: self.exprs(&all.values) }, span));
                if all.keys.iter().chain(&all.values).all(is_const) { map } else { call(SETTLE, map) }
            }
        }
    }

    fn exprs(&mut self, all: &[Expr<'s>]) -> Vec<Expr<'s>> {
        all.iter().map(|expr| self.expr(expr)).collect()
    }

    fn wrapped(&mut self, function: &'static str, expr: &Expr<'s>) -> Expr<'s> {
        call(function, self.expr(expr))
    }

    fn paid(&mut self, expr: &Expr<'s>) -> Expr<'s> {
        if is_small(expr) { self.expr(expr) } else { self.wrapped(PAY, expr) }
    }

    fn printed(&mut self, expr: &Expr<'s>) -> Expr<'s> {
        let whole = matches!(expr, Expr::Const(constant) if constant.value.is_integer());
        if whole || is_text(expr) { self.expr(expr) } else { self.wrapped(PRINT, expr) }
    }

    fn touched(&mut self, expr: &Expr<'s>) -> Expr<'s> {
        self.wrapped(TOUCH, expr)
    }

    fn bin_op(&mut self, all: &Spanned<ast::BinOp<'s>>) -> Expr<'s> {
        use BinOpKind::{Add, Concat, Div, Eq, FloorDiv, Gt, Gte, In, Lt, Lte, Mul, Ne, Pow, Rem, ScAnd, ScOr, Sub};
        let (left, right) = (&all.left, &all.right);
        self.reads_parts |= asks_for_part(left, right);
        let (left, right, settle) = match all.op {
            ScAnd | ScOr | Sub | Div | FloorDiv | Pow => (self.expr(left), self.expr(right), false),
            Mul | Rem if is_number(left) && is_number(right) => (self.expr(left), self.expr(right), false),
            Mul | Rem => {
                let args = [left, right].map(|operand| CallArg::Pos(self.expr(operand)));
                let function = if matches!(all.op, Mul) { TIMES } else { REMAINDER };
                return call_with(function, args.into(), all.span());
            }
            Add => {
                let flat = [left, right].into_iter().any(|operand| is_text(operand) || is_small(operand));
                (self.expr(left), self.expr(right), !flat)
            }
            // No more is compared than the smaller of the two has.
            Eq | Ne | Lt | Lte | Gt | Gte if is_small(left) || is_small(right) => {
                (self.expr(left), self.expr(right), false)
            }
            Eq | Ne | Lt | Lte | Gt | Gte | In => (self.paid(left), self.paid(right), false),
            Concat => (self.printed(left), self.printed(right), false),
        };
        let guarded = Expr::BinOp(Spanned::new(ast::BinOp { op: all.op, left, right }, all.span()));
        if settle { call(SETTLE, guarded) } else { guarded }
    }

    fn filter(&mut self, all: &Spanned<ast::Filter<'s>>) -> Expr<'s> {
        let shallow = match all.name {
            "map" => all.args.iter().all(|arg| matches!(arg, CallArg::Kwarg(_, arg) if is_small(arg))),
            "select" | "reject" => is_simple_test(&all.args),
            "selectattr" | "rejectattr" => is_simple_test(all.args.get(1..).unwrap_or_default()),
            name => among(SHALLOW, name),
        };
        // The first filter of a block's has no operand here, but the text of the block.
        let expr = all.expr.as_ref().map(|expr| if shallow { self.expr(expr) } else { self.paid(expr) });
        let args = self.args(&all.args, Self::paid);
        let guarded = Expr::Filter(Spanned::new(ast::Filter { name: all.name, expr, args }, all.span()));
        if among(FLAT, all.name) { guarded } else { call(SETTLE, guarded) }
    }

    fn call(&mut self, all: &ast::Call<'s>) -> ast::Call<'s> {
        match &all.expr {
            Expr::GetAttr(method) if method.name == "cycle" => {
                let mut args = vec![CallArg::Pos(self.expr(&method.expr))];
                args.extend(self.args(&all.args, Self::expr));
                ast::Call { expr: variable(CYCLE, method.span()), args }
            }
            Expr::GetAttr(method) if method.name == "changed" => {
                let args = self.args(&all.args, |guard, arg| call(HOLD, guard.wrapped(PAY, arg)));
                ast::Call { expr: self.expr(&all.expr), args }
            }
            Expr::Var(var) if var.id == "loop" => {
                let args = self.args(&all.args, |guard, arg| guard.wrapped(ITEMS, arg));
                ast::Call { expr: self.expr(&all.expr), args }
            }
            Expr::Var(var) if self.variadic.contains(var.id) => {
                let mut args = vec![CallArg::Pos(self.expr(&all.expr))];
                args.extend(self.args(&all.args, Self::expr));
                ast::Call { expr: variable(VARIADIC, var.span()), args }
            }
            _ => ast::Call { expr: self.expr(&all.expr), args: self.args(&all.args, Self::expr) },
        }
    }

    fn args(&mut self, all: &[CallArg<'s>], guard: impl Fn(&mut Self, &Expr<'s>) -> Expr<'s>) -> Vec<CallArg<'s>> {
        let arg = |arg: &CallArg<'s>| match arg {
            CallArg::Pos(arg) => CallArg::Pos(guard(self, arg)),
            CallArg::Kwarg(name, arg) => CallArg::Kwarg(name, guard(self, arg)),
            CallArg::PosSplat(arg) => CallArg::PosSplat(self.paid(arg)),
            CallArg::KwargSplat(arg) => CallArg::KwargSplat(self.paid(arg)),
        };
        all.iter().map(arg).collect()
    }
}

fn variable<'s>(name: &'static str, span: Span) -> Expr<'s> {
    Expr::Var(Spanned::new(ast::Var { id: name }, span))
}

fn call_with<'s>(name: &'static str, args: Vec<CallArg<'s>>, span: Span) -> Expr<'s> {
    Expr::Call(Spanned::new(ast::Call { expr: variable(name, span), args }, span))
}

fn call<'s>(name: &'static str, arg: Expr<'s>) -> Expr<'s> {
    let span = arg.span();
    call_with(name, vec![CallArg::Pos(arg)], span)
}
