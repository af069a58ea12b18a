//! WGSL's `alias`es, written out before a shader is compiled. To naga an alias is a type of its own beside the same type
//! without a name, and what it then writes for Metal, Vulkan and Direct3D does not agree with itself.

use std::collections::HashMap;

/// The text without its lines `alias NAME = TYPE;`, and TYPE wherever it says NAME. TYPE may name other aliases.
pub fn expand(text: &str) -> String {
    let aliases: HashMap<&str, &str> = text.lines().filter_map(declared).collect();
    let mut out = String::with_capacity(2 * text.len());
    for line in text.lines().filter(|line| declared(line).is_none()) {
        write(line, &aliases, &mut out);
        out.push('\n');
    }
    out
}

/// The alias and the type that a line declares.
fn declared(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("alias ")?.split_once(" = ")?;
    Some((name, rest.split_once(';')?.0))
}

fn write(text: &str, aliases: &HashMap<&str, &str>, out: &mut String) {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        let same = rest.find(|c| in_word(c) != in_word(first)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(same);
        match aliases.get(piece) {
            Some(kind) => write(kind, aliases, out),
            None => out.push_str(piece),
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_name() {
        let text = "\
alias Sums = array<Cell, 2u * N>; // of a thread
alias Cell = vec4f;
const N: u32 = 3u;
fn zero(sums: ptr<function, Sums>, MySums: u32) -> Sums { return Sums(); } // no_Sums, Sums2
";
        let want = "\
const N: u32 = 3u;
fn zero(sums: ptr<function, array<vec4f, 2u * N>>, MySums: u32) -> array<vec4f, 2u * N> { \
return array<vec4f, 2u * N>(); } // no_Sums, Sums2
";
        assert_eq!(expand(text), want);
    }
}
