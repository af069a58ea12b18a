//! Loops of WGSL that are written out before a shader is compiled. An array whose index changes stays in memory with some
//! compilers, and a browser bounds each access to it; with constant indices it lies in registers.

/// Behind a loop's opening brace.
const MARK: &str = "{ // unrolled";

/// Writes out each loop of the form `for (var i = 0u; i < N; i++) { // unrolled`, whose body neither breaks nor continues
/// it. N is made of numbers and of the text's own `const NAME: u32`.
pub fn unroll(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::with_capacity(2 * text.len());
    write(&lines, text, &mut out);
    out
}

fn write(lines: &[&str], text: &str, out: &mut String) {
    let mut lines = lines;
    while let Some((&line, rest)) = lines.split_first() {
        lines = rest;
        if !line.trim_end().ends_with(MARK) {
            out.push_str(line);
            out.push('\n');
            continue;
        }
        let (index, times) = head(line, text);
        let end = closing(rest);
        for i in 0..times {
            out.push_str(&format!("{{ const {index}: u32 = {i}u;\n"));
            write(&rest[..end], text, out);
            out.push_str("}\n");
        }
        lines = &rest[end + 1..];
    }
}

/// The index of `for (var i = 0u; i < N; i++) {`, and N.
fn head<'a>(line: &'a str, text: &str) -> (&'a str, u32) {
    let parts = || {
        let (index, rest) = line.trim_start().strip_prefix("for (var ")?.split_once(" = 0u; ")?;
        let (bound, end) = rest.strip_prefix(index)?.strip_prefix(" < ")?.split_once("; ")?;
        end.starts_with(&format!("{index}++) {{")).then_some((index, Terms { rest: bound, text }.all()))
    };
    parts().unwrap_or_else(|| panic!("not a loop that can be unrolled: {line}"))
}

/// The line that closes the block whose body begins with `lines`.
fn closing(lines: &[&str]) -> usize {
    let mut depth = 1;
    for (i, line) in lines.iter().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        depth += code.matches('{').count();
        depth -= code.matches('}').count();
        if depth == 0 {
            return i;
        }
    }
    panic!("a block that nothing closes")
}

/// A u32 expression as a sum of terms.
struct Terms<'a> {
    rest: &'a str,
    text: &'a str,
}

impl Terms<'_> {
    fn all(mut self) -> u32 {
        let value = self.sum();
        assert!(self.next().is_none(), "not an expression of u32: {}", self.rest);
        value
    }

    fn next(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, any: &[char]) -> Option<char> {
        let found = self.next().filter(|c| any.contains(c))?;
        self.rest = &self.rest[1..];
        Some(found)
    }

    fn sum(&mut self) -> u32 {
        let mut value = self.product();
        while let Some(sign) = self.take(&['+', '-']) {
            let other = self.product();
            value = if sign == '+' { value + other } else { value - other };
        }
        value
    }

    fn product(&mut self) -> u32 {
        let mut value = self.term();
        while let Some(sign) = self.take(&['*', '/']) {
            let other = self.term();
            value = if sign == '*' { value * other } else { value / other };
        }
        value
    }

    fn term(&mut self) -> u32 {
        if self.take(&['(']).is_some() {
            let value = self.sum();
            self.take(&[')']).expect("a closing parenthesis");
            return value;
        }
        self.next();
        let length = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        if let Ok(number) = word.trim_end_matches('u').parse() {
            return number;
        }
        let declared =
            self.text.split_once(&format!("const {word}: u32 = ")).and_then(|(_, rest)| rest.split(';').next());
        let declared = declared.unwrap_or_else(|| panic!("no constant of the text: {word}"));
        Terms { rest: declared, text: self.text }.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
const OUTPUTS: u32 = 4u;
const HALF: u32 = (OUTPUTS + 3u) / 2u - 1u;
fn f() {
    for (var o = 0u; o < HALF; o++) { // unrolled
        let row = o; // a brace that is none: {
        for (var t = 0u; t < 1u; t++) { // unrolled
            if (row > t) { sums[o] += 1.0; }
        }
    }
    for (var i = 0u; i < 9u; i++) { x += i; }
}
";

    #[test]
    fn loops_that_are_marked_are_written_out() {
        let pass = |i: u32| {
            format!(
                "{{ const o: u32 = {i}u;\n        let row = o; // a brace that is none: {{\n{{ const t: u32 = 0u;\n\
                 \x20           if (row > t) {{ sums[o] += 1.0; }}\n}}\n}}\n"
            )
        };
        let passes = pass(0) + &pass(1);
        let want = TEXT.lines().take(3).chain([passes.trim_end()]).chain(TEXT.lines().skip(9));
        assert_eq!(unroll(TEXT), want.collect::<Vec<_>>().join("\n") + "\n");
    }

    #[test]
    fn a_loop_of_no_rounds_is_nothing() {
        let text = "const N: u32 = 0u;\nfor (var i = 0u; i < 8u * N; i++) { // unrolled\n    x[i] = 1;\n}\n";
        assert_eq!(unroll(text), "const N: u32 = 0u;\n");
    }
}
