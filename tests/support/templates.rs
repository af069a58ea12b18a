//! Chat templates made from a grammar: all that Jinja has, put together in ways that nobody would, with a liking for what
//! grows, nests and repeats.

/// A template; `below(n)` gives a number below n.
pub fn template(below: &mut dyn FnMut(usize) -> usize) -> String {
    let mut grammar = Grammar { below, text: String::new(), left: 400, loops: 0 };
    // Names that the rest is likely to meet.
    grammar.text += "{% set ns = namespace(x=[1], s='x') %}{% set x = 'ab' %}{% set s = 'a b\nc' %}{% set i = 3 %}\
                     {% set y = {'a': [1, 2], 'b': 'c', 'role': 'x'} %}{% set m = y %}{% macro f(a, b=[]) %}";
    grammar.body(1);
    grammar.text += "{% endmacro %}";
    grammar.body(4);
    grammar.text
}

struct Grammar<'r> {
    below: &'r mut dyn FnMut(usize) -> usize,
    text: String,
    /// Pieces that may still be written.
    left: usize,
    /// Loops around what is written.
    loops: usize,
}

/// What an expression is likely to be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    List,
    Map,
    Number,
    Any,
}

use Kind::{Any, List, Map, Number, Text};

/// Levels of an expression.
const DEPTH: usize = 3;

/// Productions of each kind: `T`, `L`, `M`, `N` and `A` stand for expressions, `Q` for arguments, all others for themselves.
const TEXTS: [&str; 58] = [
    "x",
    "ns.s",
    "s",
    "'a'",
    "''",
    "'é😀'",
    "'%s%d'",
    "'{0}{a}'",
    "messages[0].role",
    "messages[0]['content']",
    "T + T",
    "T ~ A",
    "A ~ T",
    "T * N",
    "N * T",
    "T | upper",
    "T | trim(T)",
    "T | replace(T, T)",
    "T | replace(T, T, N)",
    "A | tojson",
    "A | tojson(indent=N)",
    "L | join(T)",
    "L | join",
    "A | string",
    "T | indent(N, true)",
    "T | title",
    "T | e",
    "T | format(A, N)",
    "T.format(A, a=A)",
    "T.strip(T)",
    "T.replace(T, T)",
    "T.join(L)",
    "T[N]",
    "T[N:N]",
    "T[::N]",
    "T | first",
    "T.upper()",
    "(T)",
    "T if N else T",
    "f(A, L)",
    "f(*L)",
    "f(**M)",
    "loop.cycle(T, T)",
    "T.removeprefix(T)",
    "T | default(T)",
    "caller(A)",
    "T % A",
    "T % (A, N)",
    "T.center(N, T)",
    "T.ljust(N)",
    "T.zfill(N)",
    "T.expandtabs(N)",
    "T.swapcase()",
    "T | truncate(N, N, T)",
    "T | center(N)",
    "T | indent(T)",
    "M | urlencode",
    "T.format_map(M)",
];
const LISTS: [&str; 49] = [
    "y.a",
    "ns.x",
    "messages",
    "[]",
    "[A]",
    "[A, A]",
    "[L, T, N]",
    "(A, A)",
    "(A,)",
    "L + L",
    "L * N",
    "L[N:]",
    "L[:N]",
    "L[::N]",
    "L[N:N:N]",
    "range(N)",
    "range(N, N, N)",
    "range(60)",
    "range(999)",
    "T.split(T)",
    "T.split()",
    "T.rsplit(T, N)",
    "T.splitlines()",
    "T | split(T)",
    "T | list",
    "M | list",
    "M.items()",
    "M.keys()",
    "M.values() | list",
    "M | dictsort",
    "M | items",
    "L | reverse",
    "L | sort",
    "L | unique",
    "L | batch(N)",
    "L | batch(N, A)",
    "L | slice(N)",
    "L | map('upper')",
    "L | map('replace', T, T)",
    "L | map(attribute='role')",
    "L | select",
    "L | select('in', L)",
    "L | selectattr('role', 'eq', T)",
    "L | groupby('role')",
    "L | sum(start=[])",
    "L | list",
    "T.partition(T)",
    "M | dictsort(N, 'value')",
    "L | sort(N)",
];
const MAPS: [&str; 14] = [
    "y",
    "m",
    "messages[0]",
    "{}",
    "{'a': A}",
    "{T: A, N: A}",
    "dict(M, a=A)",
    "dict(**M)",
    "namespace(x=A)",
    "namespace(M)",
    "ns",
    "loop",
    "L[N]",
    "M | default(M)",
];
const NUMBERS: [&str; 43] = [
    "0",
    "1",
    "2",
    "(-1)",
    "7",
    "60",
    "999",
    "99999",
    "4294967296",
    "9223372036854775807",
    "1.5",
    "1e300",
    "true",
    "none",
    "i",
    "N + N",
    "N - N",
    "N * N",
    "N / N",
    "N // N",
    "N % N",
    "N ** N",
    "-N",
    "L | length",
    "T | length",
    "L | sum",
    "T | int",
    "N | round(N)",
    "A == A",
    "A != A",
    "A < A",
    "A in L",
    "T in T",
    "A not in M",
    "N < N <= N",
    "A is divisibleby(N)",
    "A is defined",
    "T.count(T)",
    "loop.index",
    "loop.changed(A)",
    "A % N",
    "T.find(T, N, N)",
    "T | wordcount",
];
const ODD: [&str; 75] = [
    "none_such",
    "none_such.x",
    "caller",
    "f",
    "range",
    "namespace",
    "A.append(A)",
    "A | attr(T)",
    "A | abs",
    "A | chain(A)",
    "A | zip(A)",
    "A | lines",
    "A | pprint",
    "A | bool",
    "A | float",
    "A | none_such",
    "A | safe",
    "A | capitalize",
    "A | urlencode",
    "A | max",
    "A | min(attribute=T)",
    "A | sort(attribute=T, reverse=N)",
    "A | unique(attribute=T)",
    "A | reject(T)",
    "A | rejectattr(T, T, A)",
    "A | map(T, A, A)",
    "A | sum(T, A)",
    "A | count",
    "A | last",
    "A is sameas A",
    "A is in A",
    "A is startingwith(A)",
    "A is lower",
    "A is mapping",
    "A is filter",
    "A is lt A",
    "A.partition(A)",
    "A.index(A)",
    "A.get(A, A)",
    "A.title()",
    "A.find(A)",
    "A.startswith(A)",
    "A.none_such(Q)",
    "A.x(Q)",
    "A[A]",
    "A[A:A:A]",
    "A.role",
    "loop(L)",
    "loop(A)",
    "raise_exception(A)",
    "strftime_now(T)",
    "debug(Q)",
    "super()",
    "not A",
    "A and A",
    "A or A",
    "-A",
    "(A if A)",
    "dict(Q)",
    "A(Q)",
    "varargs",
    "kwargs",
    "f(A, A, A, a=A)",
    "cycler(A, A)",
    "cycler(Q)",
    "cycler(T, A).next()",
    "joiner(A)",
    "joiner(T)()",
    "A.copy()",
    "A is iterable",
    "A is callable",
    "A | forceescape",
    "A | int(A, N)",
    "A % A",
    "A.is_integer()",
];

impl Grammar<'_> {
    fn chance(&mut self, n: usize) -> bool {
        (self.below)(n) == 0
    }

    fn pick(&mut self, from: &[&str]) {
        let at = (self.below)(from.len());
        self.text += from[at];
    }

    fn body(&mut self, depth: usize) {
        for _ in 0..1 + (self.below)(4) {
            self.statement(depth);
        }
    }

    fn open(&mut self) {
        let dash = self.chance(4);
        self.text += if dash { "{%- " } else { "{% " };
    }

    /// The rest of a tag, a body and the tag that ends it.
    fn block(&mut self, end: &str, depth: usize) {
        // Most blocks cannot be left by `break`.
        let leave = ["endfor", "endif", "endgeneration"].contains(&end) || self.chance(50);
        let loops = self.loops;
        self.loops = if leave { loops } else { 0 };
        self.text += " %}";
        self.body(depth - 1);
        self.loops = loops;
        self.open();
        self.text += end;
        self.text += " %}";
    }

    fn statement(&mut self, depth: usize) {
        self.left = self.left.saturating_sub(1);
        let simple = depth == 0 || self.left == 0;
        match (self.below)(if simple { 6 } else { 19 }) {
            0 => self.text += "some text\n",
            1 | 2 => {
                let dash = self.chance(4);
                self.text += if dash { "{{- " } else { "{{ " };
                let kind = self.any();
                self.expression(kind, DEPTH);
                self.text += " }}";
            }
            3 | 4 => self.set(),
            5 if self.loops > 0 => {
                self.pick(&["{% break %}", "{% continue %}", "{# a comment #}", "{% raw %}{{ x }}{% endraw %}"]);
            }
            5 if self.chance(200) => {
                self.pick(&["{{", "%}", "{% break %}", "{% endif %}", "{% else %}", "{% raw %}", "{#"]);
            }
            5 => {}
            6..=9 => {
                self.open();
                self.text += "for ";
                self.pick(&["i", "m", "x", "i", "m", "a, b", "(a, b), c"]);
                self.text += " in ";
                match (self.below)(4) {
                    0 => self.text += "range(60)",
                    1 => self.text += "range(99999)",
                    2 => self.text += "messages",
                    _ => self.expression(List, 2),
                }
                if self.chance(6) {
                    self.text += " if ";
                    self.expression(Number, 2);
                }
                if self.chance(6) {
                    self.text += " recursive";
                }
                self.loops += 1;
                // What grows in a loop.
                if self.chance(2) {
                    self.text += " %}";
                    self.set();
                    self.text += "{% if 1";
                    self.block("endif", depth);
                    self.text += "{% endfor %}";
                } else {
                    self.block("endfor", depth);
                }
                self.loops -= 1;
            }
            10 | 11 => {
                self.open();
                self.text += "if ";
                self.expression(Number, 2);
                self.text += " %}";
                self.body(depth - 1);
                if self.chance(2) {
                    self.text += "{% elif ";
                    self.expression(Any, 2);
                    self.text += " %}";
                    self.body(depth - 1);
                }
                self.text += "{% else";
                self.block("endif", depth);
            }
            12 => {
                self.open();
                self.text += "set ";
                self.pick(&["x", "ns.x", "ns.s", "x | upper", "ns.s | replace('a', 'aa')"]);
                self.block("endset", depth);
            }
            13 => {
                self.open();
                self.text += "filter ";
                self.pick(&[
                    "upper",
                    "trim",
                    "replace('a', x)",
                    "tojson",
                    "indent(9, true) | e",
                    "format(x, y)",
                    "list",
                ]);
                self.block("endfilter", depth);
            }
            14 => {
                self.open();
                self.text += "macro f(a, b=";
                self.expression(Any, 1);
                self.text += ")";
                self.block("endmacro", depth);
            }
            15 => {
                self.open();
                self.text += "call";
                self.pick(&["", "(a)", "(a, b=1)"]);
                self.text += " f(";
                self.arguments(2);
                self.text += ")";
                self.block("endcall", depth);
            }
            16 => {
                self.open();
                self.text += "with x = ";
                self.expression(Any, 2);
                self.block("endwith", depth);
            }
            17 => {
                self.open();
                self.pick(&["autoescape true", "autoescape 'html'", "autoescape 'json'", "autoescape x"]);
                self.block("endautoescape", depth);
            }
            _ => {
                self.open();
                if self.chance(2) {
                    self.text += "generation";
                    self.block("endgeneration", depth);
                } else {
                    self.text += "do ";
                    self.pick(&["f", "range", "dict", "loop.cycle", "loop.changed", "loop", "namespace", "x.upper"]);
                    self.text += "(";
                    self.arguments(2);
                    self.text += ") %}";
                }
            }
        }
    }

    fn set(&mut self) {
        self.open();
        let (target, kind) =
            [("x", Text), ("y", Map), ("ns.x", List), ("ns.s", Text), ("ns.x", Any), ("(x, ns.t)", List)]
                [(self.below)(6)];
        self.text += "set ";
        self.text += target;
        self.text += " = ";
        self.expression(kind, DEPTH);
        self.text += " %}";
    }

    fn any(&mut self) -> Kind {
        [Text, Text, List, List, Map, Number, Any][(self.below)(7)]
    }

    /// Writes one of a kind's productions. The first of each need no others.
    fn expression(&mut self, kind: Kind, depth: usize) {
        self.left = self.left.saturating_sub(1);
        let kind = if matches!(kind, Any) && !self.chance(3) { self.any() } else { kind };
        let (productions, leaves): (&[&str], usize) = match kind {
            Text => (&TEXTS, 10),
            List => (&LISTS, 4),
            Map => (&MAPS, 4),
            Number => (&NUMBERS, 15),
            Any => (&ODD, 6),
        };
        let leaf = depth == 0 || self.left == 0;
        let production = (self.below)(if leaf { leaves } else { productions.len() });
        // What has operators needs brackets in another.
        let brackets = production >= leaves && depth < DEPTH;
        let production = productions[production];
        if brackets {
            self.text.push('(');
        }
        let mut quoted = false;
        for c in production.chars() {
            quoted ^= c == '\'';
            // One in thirty is of another kind than it should be.
            let odd = self.chance(30);
            match c {
                _ if quoted => self.text.push(c),
                'T' => self.expression(if odd { Any } else { Text }, depth - 1),
                'L' => self.expression(if odd { Any } else { List }, depth - 1),
                'M' => self.expression(if odd { Any } else { Map }, depth - 1),
                'N' => self.expression(if odd { Any } else { Number }, depth - 1),
                'A' => self.expression(Any, depth - 1),
                'Q' => self.arguments(depth - 1),
                c => self.text.push(c),
            }
        }
        if brackets {
            self.text.push(')');
        }
    }

    fn arguments(&mut self, depth: usize) {
        let count = (self.below)(4);
        for i in 0..count {
            if i > 0 {
                self.text += ", ";
            }
            if i + 1 == count {
                self.pick(&["", "", "a=", "b=", "*", "**"]);
            }
            self.expression(Any, depth);
        }
    }
}
