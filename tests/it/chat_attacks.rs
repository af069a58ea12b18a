//! Hostile chat templates, a table a kind of attack: all of them end in a `TEMPLATE` error that names why, within
//! 64 MB and the stack of a worker. `«9:x»` in a source stands for nine times `x`.

use std::time::{Duration, Instant};

use crate::counting::peak;
use cresset::chat::{ChatTemplate, RenderOptions};
use serde_json::json;

/// Less than the 1 MB of a web worker by what its frames are larger; debug builds take ten times as much.
const STACK: usize = if cfg!(debug_assertions) { 4 << 20 } else { 256 << 10 };
const MEMORY: isize = 64 << 20;
/// They take up to 20 ms; a hang is what this is about.
const TIME: Duration = Duration::from_secs(10);

const LONG: &str = "too long for a template";
const MANY: &str = "too many for a template";
const EXPRESSION: &str = "recursion limit for expressions";
const BRACKETS: &str = "recursion limit for brackets";
const BLOCKS: &str = "recursion limit for blocks";
const CALLS: &str = "recursion limit exceeded";
const FUEL: &str = "the template runs for too long or makes too much text";
const DEEP: &str = "the template nests a value too deeply";
const HELD: &str = "cannot be put into another value";
const WIDE: &str = "a field that is too wide";

fn expanded(source: &str) -> String {
    let mut text = String::new();
    let mut rest = source;
    while let Some((before, after)) = rest.split_once('«') {
        let (repeated, after) = after.split_once('»').expect("an end");
        let (times, what) = repeated.split_once(':').expect("a number");
        text += before;
        text += &what.repeat(times.parse().expect("a number"));
        rest = after;
    }
    text + rest
}

/// What becomes of a template, on a small stack: the prompt, or the line and the reason why not.
fn outcome(source: &str) -> Result<String, (usize, String)> {
    let source_text = expanded(source);
    let render = move || {
        let messages = [json!({"role": "user", "content": "x"}), json!({"role": "assistant", "content": "y"})];
        let options = RenderOptions { now: Some(0), ..Default::default() };
        let start = Instant::now();
        let (result, taken) = peak(|| ChatTemplate::new(&source_text, None, None)?.render(&messages, &options));
        (result, taken, start.elapsed())
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(render).expect("a thread");
    let (result, taken, took) = thread.join().unwrap_or_else(|_| panic!("{source} panics"));
    assert!(taken < MEMORY, "{source} takes {taken} bytes");
    assert!(took < TIME, "{source} takes {took:?}");
    result.map_err(|error| match error {
        cresset::Error::Template { line, reason } => (line, reason),
        other => panic!("{source}: {other}"),
    })
}

fn check(attacks: &[(&str, &str)]) {
    for (source, why) in attacks {
        match outcome(source) {
            Err((_, reason)) => {
                assert!(reason.contains(why) && reason.len() < 600, "{source}: {reason:?}, not {why:?}");
            }
            Ok(prompt) => panic!("{source} renders {prompt:.60?}"),
        }
    }
}

/// A source that is nested, or that holds a chain, without bound: the parser would overflow the stack.
const SOURCES: &[(&str, &str)] = &[
    ("{{ «20000:1+»1 }}", EXPRESSION),
    ("{{ «20000:1~»1 }}", EXPRESSION),
    ("{{ «20000:1 and »1 }}", EXPRESSION),
    ("{{ «20000:not »1 }}", EXPRESSION),
    ("{{ «20000:-»1 }}", EXPRESSION),
    ("{{ «20000:1 if 1 else »1 }}", LONG),
    ("{{ a«20000:[0]» }}", EXPRESSION),
    ("{{ a«20000:.b» }}", EXPRESSION),
    ("{{ a«20000:()» }}", EXPRESSION),
    ("{{ a«10000:|upper» }}", EXPRESSION),
    ("{{ a«10000: is none» }}", EXPRESSION),
    ("{{ 1«10000: < 1» }}", EXPRESSION),
    ("{{ «20000:(»1«20000:)» }}", BRACKETS),
    ("{{ «20000:[»1«20000:]» }}", BRACKETS),
    ("{{ «10000:{1:»1«10000:}» }}", BRACKETS),
    ("{{ «10000:f(»1«10000:)» }}", BRACKETS),
    ("{{ «5000:((1)+»1«5000:)» }}", BRACKETS),
    ("{{ «30:(((»1«30:+1)+1)+1)» }}", BRACKETS),
    ("{% if 1 %}«8000:{% elif 1 %}»{% endif %}", BLOCKS),
    ("«8000:{% if 1 %}»«8000:{% endif %}»", LONG),
    ("«4000:{% for a in b %}»«4000:{% endfor %}»", BLOCKS),
    ("«4000:{% if 1 %}{% else %}»«4000:{% endif %}»", BLOCKS),
    ("«4000:{% set x %}»«4000:{% endset %}»", BLOCKS),
    ("«4000:{% filter upper %}»«4000:{% endfilter %}»", LONG),
    ("«3000:{% macro m() %}»«3000:{% endmacro %}»", BLOCKS),
    ("«3000:{% call m() %}»«3000:{% endcall %}»", BLOCKS),
    ("«3000:{% with a=1 %}»«3000:{% endwith %}»", BLOCKS),
    ("«3000:{% autoescape true %}»«3000:{% endautoescape %}»", BLOCKS),
    ("{% filter «8000:upper|»upper %}x{% endfilter %}", EXPRESSION),
    ("{% set x |«8000:upper|»upper %}x{% endset %}", EXPRESSION),
    ("{% set a«20000:.b» = 1 %}", EXPRESSION),
    ("{% set «10000:(»a«10000:)» = 1 %}", BRACKETS),
    ("{% for «10000:(»a«10000:)» in b %}{% endfor %}", BRACKETS),
    ("{% generation %}«8000:{% generation %}»x", BLOCKS),
    ("«140000:x»", LONG),
    ("«120000: »{{ 1", "syntax error: unexpected end of in"),
    ("«30000:{{1}}»", LONG),
    ("«40000:{»", BRACKETS),
    ("«20000:{%»", BRACKETS),
    ("{{ [«60000:1,»] }}", MANY),
    ("«12000:{{ [1] }}»", MANY),
    ("{{ {«20000:1:1,»} }}", MANY),
    ("{% if 0 %}«20000:{{1}}»{% endif %}", MANY),
    ("{{ f(«1990:1,») }}", "unknown function: f is unknown"),
    ("{{ f(«6000:1,») }}", "syntax error: Too many arguments i"),
    ("{{ f(«60000:1,») }}", MANY),
    ("{% set «9000:a,» = 1 %}", "syntax error: unexpected `=`, expe"),
    ("{{ [«9000:1,»]«190:+x» }}", "tried to use + operator on unsuppo"),
    ("{{ '' ~ ([1]*100000000) }}", FUEL),
    ("{{ [1]*100000000 == [1]*100000000 }}", FUEL),
    ("{{ 5 in [1]*100000000 }}", FUEL),
    ("{{ ([1]*100000000)|length }}", FUEL),
    ("{{ 'x' * 10000000 }}", FUEL),
    ("{{ 'x' * 99999999.0 }}", FUEL),
    ("{{ 99999999 * 'x' }}", FUEL),
    ("{{ 'x' * true * 90000000 }}", FUEL),
    ("{{ «190:'xxxxxxxxxxxxxxxxxxx'*9*»1 }}", EXPRESSION),
    ("{{ (10**37) * (10**37) }}", "1000000000000000000000000000000000"),
];

#[test]
fn a_source_is_bounded_before_it_is_parsed() {
    check(SOURCES);
}

/// Values that are nested without bound, that hold themselves, or that are computed when they are looked at, one in another.
const NESTED: &[(&str, &str)] = &[
    ("{% set ns = namespace(x=[]) %}{% for i in range(900) %}{% set ns.x = [ns.x] %}{% endfor %}ok", DEEP),
    ("{% set ns = namespace(x={}) %}{% for i in range(900) %}{% set ns.x = {1: ns.x} %}{% endfor %}ok", DEEP),
    ("{% set ns = namespace(x=()) %}{% for i in range(900) %}{% set ns.x = (ns.x,) %}{% endfor %}ok", DEEP),
    ("{% set ns = namespace(x=[]) %}{% for i in range(900) %}{% set ns.x = dict(a=ns.x) %}{% endfor %}ok", DEEP),
    ("{% set ns = namespace(x=[1]) %}{% for i in range(900) %}{% set ns.x = ns.x|batch(1) %}{% endfor %}ok", DEEP),
    ("{% set ns = namespace(x=[1]) %}{% for i in range(900) %}{% set ns.x = ns.x|slice(1) %}{% endfor %}ok", DEEP),
    ("{% set ns = namespace(x=[1]) %}{% for i in range(900) %}{% set ns.x = ns.x + [1] %}{% endfor %}ok", FUEL),
    (
        "{% set ns = namespace(x=[{'a':1}]) %}{% for i in range(900) %}{% set ns.x = ns.x|groupby('a') %}{% endfor %}ok",
        DEEP,
    ),
    (
        "{% set ns = namespace(x={'a':1}) %}{% for i in range(900) %}{% set ns.x = ns.x.items() %}{% set ns.x = {'a': ns.x} %}{% endfor %}ok",
        DEEP,
    ),
    (
        "{% set ns = namespace(x={'a':1}) %}{% for i in range(900) %}{% set ns.x = ns.x|items|list|dictsort %}{% endfor %}ok",
        "cannot convert value into pair lis",
    ),
    ("{% set ns = namespace(x=1) %}{% for i in range(900) %}{% set ns.x = namespace(y=ns.x) %}{% endfor %}ok", HELD),
    (
        "{% set ns = namespace(x=1) %}{% for i in range(900) %}{% set n2 = namespace(y=1) %}{% set n2.y = ns %}{% endfor %}ok",
        HELD,
    ),
    ("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}", HELD),
    ("{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}", HELD),
    ("{% set ns = namespace() %}{% set ns.x = {'a': (ns,)} %}{{ ns }}", HELD),
    ("{% set ns = namespace() %}{% set ns.x, y = [1, ns], 2 %}{{ ns }}", HELD),
    ("{% set ns = namespace() %}{% set ns.x = ns|default %}{{ ns }}", HELD),
    ("{% set ns = namespace() %}{% set ns.x = ns if true %}{{ ns }}", HELD),
    ("{% set a = namespace() %}{% set b = namespace() %}{% set a.x = b %}{% set b.x = a %}{{ a == b }}", HELD),
    ("{% set ns = namespace() %}{% for x in [1] %}{% set ns.l = loop %}{% endfor %}{{ ns }}", HELD),
    (
        "{% set ns = namespace(l=1) %}{% for y in range(900) %}{% for x in [ns.l] %}{% set ns.l = [loop] %}{% endfor %}{% endfor %}ok",
        HELD,
    ),
    ("{% for x in [1,2] %}{{ loop.changed(loop) }}{% endfor %}", HELD),
    ("{% for x in [1,2] %}{{ loop.changed([loop]) }}{% endfor %}", HELD),
    ("{% for x in [1,2] %}{{ [loop] }}{% endfor %}", HELD),
    ("{% macro m() %}{% endmacro %}{% set ns = namespace(m=m) %}{{ ns }}", HELD),
    ("{% set ns = namespace() %}{% set n2 = dict(ns=ns) %}{% set ns.x = n2 %}{{ ns }}", HELD),
    ("{% set ns = namespace() %}{% set ns.x = [none]|map(attribute='q', default=ns)|list %}{{ ns }}", HELD),
    ("{% set ns = namespace() %}{% set ns.x = [1]|batch(2, ns)|list %}{{ ns }}", HELD),
    ("{% set ns = namespace() %}{% set ns.x = {}.get('a', ns) %}{{ ns }}", HELD),
    ("{% set ns = namespace() %}{% for i in [1] %}{% set ns.x = loop.cycle(ns) %}{% endfor %}{{ ns }}", HELD),
    ("{% set n = namespace %}{% set ns = n() %}{% set ns.x = n(y=ns) %}{{ ns }}", HELD),
    ("{% set ns = namespace(x=1) %}{% for i in range(900) %}{% set ns.x = cycler(ns.x) %}{% endfor %}ok", HELD),
    ("{% set ns = namespace(x=1) %}{% for i in range(900) %}{% set ns.x = joiner(ns.x) %}{% endfor %}ok", HELD),
    ("{% set ns = namespace(x=1) %}{% for i in range(900) %}{% set ns.x = [joiner(ns.x)] %}{% endfor %}ok", HELD),
    ("{{ cycler(cycler(1)) }}", HELD),
    ("{% set x = 1 %}«2000:{% set x=joiner(x) %}»", HELD),
    ("{% macro m() %}{% set ns.x = varargs %}{% endmacro %}{% set ns = namespace() %}{{ m(ns) }}", HELD),
    ("{% macro m() %}{% endmacro %}{{ {'a': kwargs, 'b': namespace()} }}", HELD),
    ("{% set x = [] %}«2000:{% set x=[x] %}»", DEEP),
    ("{% set x = [] %}«6000:{% set x=x|batch(1) %}»", LONG),
    ("{% macro f(n, x) %}{{ f(n + 1, [x]) }}{% endmacro %}{{ f(0, []) }}", CALLS),
    (
        "{% macro f(n) %}{{ caller(n) }}{% endmacro %}{% macro g(n) %}{% call(x) f(n) %}{{ g(x + 1) }}{% endcall %}{% endmacro %}{{ g(0) }}",
        CALLS,
    ),
    ("{% for x in [[]] recursive %}{{ loop([[x]]) }}{% endfor %}", DEEP),
    ("{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}", CALLS),
    ("{% set y = [] %}{% for x in [1] recursive %}{% set z = loop([x]) %}{% endfor %}", CALLS),
];

#[test]
fn values_are_nested_in_bounds() {
    check(NESTED);
}

/// Values that hold a few others many times: small, but not when they are printed.
const DOUBLED: &[(&str, &str)] = &[
    (
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        FUEL,
    ),
    ("{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}", FUEL),
    ("{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}", FUEL),
    (
        "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}{{ ns.x }}",
        FUEL,
    ),
    (
        "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x]|join %}{% endfor %}{{ ns.x }}",
        FUEL,
    ),
    (
        "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = ns.x.replace('x', 'xx') %}{% endfor %}{{ ns.x }}",
        FUEL,
    ),
    (
        "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = ns.x|replace('x', 'xx') %}{% endfor %}{{ ns.x }}",
        FUEL,
    ),
    (
        "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = '%s%s'|format(ns.x, ns.x) %}{% endfor %}{{ ns.x }}",
        FUEL,
    ),
    (
        "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = '{0}{0}'.format(ns.x) %}{% endfor %}{{ ns.x }}",
        FUEL,
    ),
    ("{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = ns.x * 2 %}{% endfor %}{{ ns.x }}", FUEL),
    ("{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x * 2 %}{% endfor %}{{ ns.x }}", FUEL),
    ("{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}", FUEL),
    (
        "{% set ns = namespace(x=(1,)) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
        FUEL,
    ),
    ("{% set ns = namespace(x=(1,)) %}{% for i in range(60) %}{% set ns.x = ns.x * 2 %}{% endfor %}{{ ns.x }}", FUEL),
    (
        r#"{% set ns = namespace(x='"') %}{% for i in range(60) %}{% set ns.x = ns.x|tojson %}{% endfor %}{{ ns.x }}"#,
        FUEL,
    ),
    (
        r#"{% set ns = namespace(x="'") %}{% for i in range(60) %}{% set ns.x = [ns.x]|string %}{% endfor %}{{ ns.x }}"#,
        FUEL,
    ),
    ("{% macro f(s, n) %}{{ s }}{% if n %}{{ f(s ~ s, n - 1) }}{% endif %}{% endmacro %}{{ f('x', 30) }}", FUEL),
    ("{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}x{% endmacro %}{{ f(30) }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ ([s] * 100000)|length }}{{ [s] * 100000 }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ ([s] * 100000)|join }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ ([s] * 100000)|tojson }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ ([s] * 100000)|string|length }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ ('' ~ ([s] * 100000))|length }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ ','.join([s] * 100000)|length }}", FUEL),
    (
        "{% set s = 'x' * 100000 %}{% set l = [s] * 10000 %}{% for i in range(9999) %}{{ l == [i] }}{{ l|sort|first|length }}{% endfor %}",
        FUEL,
    ),
    (r"{% set s = '\x00' * 100000 %}{{ [s] }}", FUEL),
    (r"{% set s = '\x00' * 3000000 %}{{ s|tojson|length }}", FUEL),
];

#[test]
fn values_are_paid_for_as_large_as_they_print() {
    check(DOUBLED);
}

/// One operation that makes much of little, and arguments that minijinja panics at.
const GROWN: &[(&str, &str)] = &[
    ("{{ '%99999999d'|format(1) }}", WIDE),
    ("{{ '%.99999999f'|format(1.5) }}", WIDE),
    ("{{ '%.99999f'|format(1) }}", WIDE),
    ("{{ '%*d'|format(99999999, 1) }}", "a format cannot take a width from"),
    ("{{ '%.*f'|format(99999, 1) }}", "a format cannot take a width from"),
    ("{{ '%-99999999s'|format('a') }}", WIDE),
    ("{{ '%(a)99999999s'|format(a=1) }}", WIDE),
    ("{{ '%(99999999)s'|format(a=1) }}", "missing an argument for format spe"),
    ("{{ '{:>99999999}'.format(1) }}", WIDE),
    ("{{ '{:.99999}'.format(1.5) }}", WIDE),
    ("{{ '{:{}}'.format(1, 99999999) }}", "invalid conversion type"),
    ("{{ '{:>{w}}'.format(1, w=99999999) }}", "invalid conversion type"),
    ("{% set f = '%(a)s' * 10000 %}{{ f|format(a='x' * 100000)|length }}", FUEL),
    ("{% set f = '{0}' * 10000 %}{{ f.format('x' * 100000)|length }}", FUEL),
    ("{% set f = '{a}' * 10000 %}{{ f.format(a='x' * 100000)|length }}", FUEL),
    ("{% set f = '%s' * 100 %}{{ f|format(*(['x' * 100000] * 100))|length }}", FUEL),
    ("{{ (['%s'] * 10000)|map('format', 'x' * 100000)|list|length }}", FUEL),
    ("{{ 'x'|indent(99999999) }}", FUEL),
    (r"{{ ('\n' * 10000)|indent(99999, true, true) }}", FUEL),
    (r"{{ ('\n' * 10000)|indent('x' * 9999, true, true) }}", FUEL),
    (r"{{ ('a\n' * 10000)|indent('x' * 9999) }}", FUEL),
    ("{{ 'x'|center(99999999) }}", FUEL),
    ("{{ 'x'.center(99999999) }}", FUEL),
    ("{{ 'x'.ljust(9223372036854775807, 'é') }}", FUEL),
    ("{{ 'x'.rjust(99999999) }}", FUEL),
    ("{{ 'x'.zfill(99999999) }}", FUEL),
    (r"{{ ('\t' * 10000).expandtabs(9999)|length }}", FUEL),
    ("{{ 'x'|truncate(1, true, 'y' * 9999999) }}", FUEL),
    ("{{ ('é' * 2000000)|urlencode|length }}", FUEL),
    ("{{ ([('é' * 1000, 1)] * 10000)|urlencode|length }}", FUEL),
    ("{{ '%99999999d' % 1 }}", WIDE),
    ("{{ ('%s' * 10000) % ('x' * 100000) }}", FUEL),
    ("{{ ('%s' * 100) % ((['x' * 100000] * 100)|list) }}", FUEL),
    ("{{ ('%(a)s' * 10000) % {'a': 'x' * 100000} }}", FUEL),
    ("{{ ('{a}' * 10000).format_map({'a': 'x' * 100000}) }}", FUEL),
    ("{{ strftime_now('%99999999A') }}", FUEL),
    ("{{ strftime_now('%999A' * 10000)|length }}", FUEL),
    ("{{ strftime_now('%99999999999999999999999999d') }}", FUEL),
    ("{% macro m() %}{{ varargs }}{% endmacro %}{{ m(*(['x' * 100000] * 1000)) }}", FUEL),
    ("{% macro m() %}{{ varargs }}{% endmacro %}{% for i in range(99999) %}{{ m(1,2,3) }}{% endfor %}", FUEL),
    ("{% set j = joiner('x' * 100000) %}{{ j() }}{{ j() * 100000 }}", FUEL),
    ("{% set c = cycler('x' * 100000) %}{% for i in range(99999) %}{{ c.next() }}{% endfor %}", FUEL),
    ("{{ lipsum() }}", "which no prompt is made of"),
    ("{{ [1]|batch(99999999, 1) }}", FUEL),
    ("{{ [1]|slice(99999999) }}", FUEL),
    ("{{ range(99999)|batch(99999)|list|length }}", FUEL),
    ("{{ ([1] * 9999)|tojson(separators=('x' * 9999, 'y')) }}", FUEL),
    ("{{ {'a': 1, 'b': 2}|tojson(separators=('y', 'x' * 9999999)) }}", FUEL),
    ("{{ ('x' * 500000).split('x')|length }}", FUEL),
    ("{{ ('x' * 500000)|split('x')|length }}", FUEL),
    ("{{ ('x ' * 2500000).split()|length }}", FUEL),
    ("{{ ('x ' * 2500000).rsplit()|length }}", FUEL),
    ("{{ ('x' * 500000).rsplit('x')|length }}", FUEL),
    ("{{ ('x' * 500000).split('')|length }}", "empty separator"),
    (r"{{ ('\n' * 500000).splitlines()|length }}", FUEL),
    (r"{{ ('\n' * 500000).splitlines(true)|length }}", FUEL),
    (r"{{ ('\n' * 500000)|lines|length }}", "unknown filter: filter lines is un"),
    ("{{ ('x' * 500000)|list|length }}", FUEL),
    ("{{ ('x' * 500000)|batch(1)|length }}", FUEL),
    ("{{ ('x' * 500000)|map('upper')|list|length }}", FUEL),
    ("{{ ('x' * 500000)|sort|length }}", FUEL),
    ("{{ ('x' * 500000)|unique|list|length }}", FUEL),
    ("{{ ('x' * 500000)|select|list|length }}", FUEL),
    ("{% for c in 'x' * 500000 %}{% endfor %}", FUEL),
    ("{% for i in range(99999) %}{% for c in 'x' * 99999 %}{% break %}{% endfor %}{% endfor %}", FUEL),
    ("{% set s = 'x' * 999999 %}{% for i in range(99999) %}{% for c in s %}{% break %}{% endfor %}{% endfor %}", FUEL),
    ("{{ ('ŉ' * 2000000)|upper|length }}", FUEL),
    ("{{ 'x'.replace('', 'y' * 9999999)|length }}", FUEL),
    ("{{ ('x' * 3000)|replace('x', 'y' * 30000)|length }}", FUEL),
    ("{{ (['x' * 3000] * 100)|map('replace', 'x', 'y' * 3000)|list|length }}", FUEL),
    ("{{ ('&' * 3000000)|striptags|length }}", FUEL),
    ("{{ ('x' * 3000).replace('x', 'y' * 30000)|length }}", FUEL),
    ("{{ ([''] * 99999)|join('x' * 99999)|length }}", FUEL),
    ("{{ ('x' * 99999).join([''] * 99999)|length }}", FUEL),
    ("{{ range(99999)|list * 9999 }}", FUEL),
    ("{{ range(9223372036854775807) }}", "range has too many elements"),
    ("{{ range(-9223372036854775807, 9223372036854775807) }}", "range has too many elements"),
    ("{{ range(9223372036854775807, -9223372036854775807, -1) }}", "range has too many elements"),
    ("{{ range(0, 10, 0) }}", "cannot create range with step of 0"),
    ("{{ [1,2,3][::0] }}", "cannot slice by step size of 0"),
    ("{{ 1 // 0 }}{{ 1 % 0 }}", "unable to calculate 1 // 0"),
    ("{% for x in [1] %}{{ loop.cycle() }}{% endfor %}", "cycle needs a value"),
    ("{% for x in [1] %}{{ loop.cycle(*[]) }}{% endfor %}", "cycle needs a value"),
    ("{% for x in [1] %}{% do loop.cycle() %}{% endfor %}", "cycle needs a value"),
    ("{% for x in [1] %}{{ [loop]|map('attr', 'cycle')|list }}{% endfor %}", HELD),
    ("{% for x in [1] %}{% with a=1 %}{% break %}{% endwith %}{% endfor %}", "break cannot leave a block within"),
    ("{% for x in [1] %}{% with a=1 %}{% continue %}{% endwith %}{% endfor %}", "continue cannot leave a block with"),
    ("{% for x in [1] %}{% set a %}{% break %}{% endset %}{% endfor %}y", "break cannot leave a block within"),
    (
        "{% for x in [1] %}{% filter upper %}{% break %}{% endfilter %}{% endfor %}y",
        "break cannot leave a block within",
    ),
    (
        "{% for x in [1] %}{% autoescape true %}{% break %}{% endautoescape %}{% endfor %}y",
        "break cannot leave a block within",
    ),
    ("{% for x in [1] %}{% call f() %}{% break %}{% endcall %}{% endfor %}y", "syntax error:"),
];

#[test]
fn no_operation_makes_much_of_little() {
    check(GROWN);
}

/// Operations that walk large values while few instructions run, and what grows in loops.
const WALKED: &[(&str, &str)] = &[
    (
        "{% set s = 'x' * 99999 %}{% set t = 'x' * 99999 %}{% for i in range(9999) %}{% if s == t %}{% endif %}{% endfor %}",
        FUEL,
    ),
    (
        "{% set s = 'x' * 99999 %}{% set t = 'x' * 99998 ~ 'y' %}{% for i in range(9999) %}{% if s < t %}{% endif %}{% endfor %}",
        FUEL,
    ),
    (
        "{% set s = 'x' * 99999 %}{% set t = 'x' * 99999 %}{% for i in range(9999) %}{% if s < t < s %}{% endif %}{% endfor %}",
        FUEL,
    ),
    (
        "{% set s = 'x' * 99999 %}{% set t = 'x' * 99999 %}{% for i in range(9999) %}{% if s is eq t %}{% endif %}{% endfor %}",
        FUEL,
    ),
    (
        "{% set s = 'x' * 99999 %}{% set t = 'x' * 99999 %}{% for i in range(9999) %}{% if s is sameas t %}{% endif %}{% endfor %}",
        FUEL,
    ),
    ("{% set s = 'x' * 99999 %}{% for i in range(9999) %}{% if 'y' in s %}{% endif %}{% endfor %}", FUEL),
    ("{% set s = 'x' * 99999 %}{% for i in range(9999) %}{% if s is in [s ~ ''] %}{% endif %}{% endfor %}", FUEL),
    ("{% set s = 'x' * 99999 %}{% for i in range(9999) %}{% if [s] == [s ~ ''] %}{% endif %}{% endfor %}", FUEL),
    (
        "{% set l = range(9999)|list %}{% set m = range(9999)|list %}{% for i in range(9999) %}{% if l == m %}{% endif %}{% endfor %}",
        FUEL,
    ),
    (
        "{% set l = [range(9999)|list] %}{% set m = [range(9999)|list] %}{% for i in range(9999) %}{% if l == m %}{% endif %}{% endfor %}",
        FUEL,
    ),
    ("{% set l = range(9999)|list %}{% for i in range(9999) %}{% if 99999 in l %}{% endif %}{% endfor %}", FUEL),
    ("{% set l = range(9999)|list %}{{ range(9999)|select('in', l)|list|length }}", FUEL),
    ("{% set l = ['x' * 9999] * 999 %}{{ (['x' * 9998 ~ 'y'] * 999)|select('in', l)|list|length }}", FUEL),
    ("{% set s = 'x' * 99999 %}{{ ([s] * 9999)|select('eq', s ~ '')|list|length }}", FUEL),
    ("{% set s = 'x' * 99999 %}{{ ([{'a': s}] * 9999)|selectattr('a', 'eq', s ~ '')|list|length }}", FUEL),
    ("{% set s = 'x' * 99999 %}{{ ([{'eq': [s] * 999}] * 999)|selectattr('eq', 'in', 'abc')|list|length }}", FUEL),
    ("{% set s = 'x' * 99999 %}{{ ([s] * 9999)|map('replace', 'y', 'z')|list|length }}", FUEL),
    ("{% set s = 'x' * 99999 %}{{ ([s] * 9999)|map('length')|sum }}", FUEL),
    ("{% set s = 'ü' * 99999 %}{% for i in range(9999) %}{{ s[-5] }}{% endfor %}", FUEL),
    ("{% set s = 'ü' * 99999 %}{% for i in range(9999) %}{{ s[0:1] }}{% endfor %}", FUEL),
    ("{% set s = 'ü' * 99999 %}{% for i in range(9999) %}{{ s[i:i+1] }}{% endfor %}", FUEL),
    ("{% set s = 'ü' * 99999 %}{% for i in range(9999) %}{{ s|last }}{{ s|length }}{% endfor %}", FUEL),
    ("{% set s = 'x' * 99999 %}{% for i in range(9999) %}{{ s.find('y') }}{{ s.count('x') }}{% endfor %}", FUEL),
    ("{% set s = 'x' * 99999 %}{% for i in range(9999) %}{{ s.startswith(s) }}{% endfor %}", FUEL),
    ("{{ (['x' * 999] * 9999)|sum(start='')|length }}", "can only sum numbers, got string"),
    ("{{ range(9999)|map('string')|sort|unique|list|length }}", FUEL),
    ("{{ (['x' * 9999] * 9999)|sort|length }}", FUEL),
    ("{{ (['x' * 9999] * 9999)|unique|list|length }}", FUEL),
    ("{{ (['x' * 9999] * 9999)|min|length }}", FUEL),
    ("{{ ([{'a': 'x' * 9999}] * 9999)|groupby('a')|list|length }}", FUEL),
    ("{{ ([{'a': 'x' * 9999}] * 9999)|sort(attribute='a')|length }}", FUEL),
    ("{{ ([{'a': 'x' * 9999}] * 9999)|map(attribute='a')|sort|length }}", FUEL),
    ("{% set d = dict() %}{% set k = 'x' * 99999 %}{% for i in range(9999) %}{{ d[k] }}{% endfor %}", FUEL),
    ("{% set d = {1: 1} %}{% set k = range(9999)|list %}{% for i in range(9999) %}{{ d[k] }}{% endfor %}", FUEL),
    ("{% set k = 'x' * 99999 %}{% for i in range(9999) %}{{ {k: 1}|length }}{% endfor %}", FUEL),
    ("{% set k = 'x' * 99999 %}{% for i in range(9999) %}{{ {}.get(k) }}{% endfor %}", FUEL),
    ("{% set k = 'x' * 99999 %}{% for i in range(9999) %}{% if k in {} %}{% endif %}{% endfor %}", FUEL),
    ("{% macro f(a) %}{% endmacro %}{% for i in range(9999) %}{{ f(*range(9999)) }}{% endfor %}", "too many arguments"),
    ("{% for a in range(90000) %}{% for b in range(90000) %}{{ a * b }}{% endfor %}{% endfor %}", FUEL),
    ("{% for a in range(90000) %}{{ range(90000) | list | length }}{% endfor %}", FUEL),
    ("{% for a in range(90000) %}{{ range(90000) | length }}{% endfor %}", FUEL),
    ("{% for a in range(90000) %}{% set x = range(90000)[5] %}{% endfor %}", FUEL),
    ("{% for a in range(90000) %}{% set x = range(90000)|last %}{% endfor %}", FUEL),
    ("{% set s = 'x' * 99999 %}{% for a in range(90000) %}{% set x = [a, s] %}{{ x }}{% endfor %}", FUEL),
    ("{% for a in range(9999) %}{{ 'x' * 99 }}{% endfor %}", FUEL),
    ("{% set ns = namespace(l=[]) %}{% for a in range(9999) %}{% set ns.l = ns.l + [a] %}{% endfor %}", FUEL),
    ("{% set ns = namespace(s='') %}{% for a in range(9999) %}{% set ns.s = ns.s ~ a %}{% endfor %}", FUEL),
    (
        "{% set ns = namespace(d={}) %}{% for a in range(9999) %}{% set ns.d = dict(ns.d, **{'k' ~ a: a}) %}{% endfor %}",
        FUEL,
    ),
    (
        "{% set s = 'x' * 99999 %}{% for a in range(9999) %}{% autoescape true %}{{ s }}{% endautoescape %}{% endfor %}",
        FUEL,
    ),
    ("{{ raise_exception('x' * 99999) }}", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    ("{{ raise_exception('ü' * 1000) }}", "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü"),
    ("{{ raise_exception(['x'] * 9999) }}", "["),
    ("{{ 'x' * 9999 is nothing }}", "unknown test: test nothing is unkn"),
    ("{{ x|«9999:n» }}", "unknown filter: filter nnnnnnnnnnn"),
    ("{{ messages[0]['x' * 9999]() }}", "value of type undefined is not cal"),
    ("{{ 'abc'.«9999:n»() }}", "unknown method: string has no meth"),
    ("{% set s = 'x' * 99999 %}{{ s.nothing() }}", "unknown method: string has no meth"),
    ("{{ debug() }}", "unknown function: debug is unknown"),
    ("{{ messages|pprint }}", "unknown filter: filter pprint is u"),
    ("{% include 'default' %}", "syntax error: unknown statement in"),
    ("{% extends 'default' %}", "syntax error: unknown statement ex"),
    ("{% import 'default' as x %}", "syntax error: unknown statement im"),
    ("{% from 'default' import x %}", "syntax error: unknown statement fr"),
    ("{% block a %}x{% endblock %}", "syntax error: unknown statement bl"),
    ("{{ self.a() }}{{ super() }}", "unknown method: undefined has no m"),
    ("{{ ['a', 'b']|zip([1, 2]) }}", "unknown filter: filter zip is unkn"),
    ("{{ [1]|chain([2]) }}", "unknown filter: filter chain is un"),
    (
        "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = ns.x|chain(ns.x) %}{% endfor %}{{ ns.x }}",
        "unknown filter: filter chain is un",
    ),
    ("{{ ['a']|map(*(['map'] * 9000))|list }}", "map is nested too deeply"),
    (
        "{{ ['a']|map('map','map','map','map','map','map','map','map','map','map','map','map','upper')|list }}",
        "map is nested too deeply",
    ),
    ("{{ ['a']|map('|map', 'upper')|list }}", "unknown filter"),
    ("{{ ['a']|map('|sum')|list }}", "unknown filter"),
    ("{{ ['a']|map('|pay')|list }}", "unknown filter"),
    ("{{ 1|pay }}", "unknown filter: filter pay is unkn"),
    ("{% set s = 'x' * 100000 %}{{ raise_exception([s] * 100000) }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ [1]|map('tojson', separators=([s] * 100000, 1))|list|length }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ [[s] * 100000]|map('string')|list|length }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ [[s] * 100000]|map('trim')|list|length }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ [[s] * 100000]|map('upper')|list|length }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ [[s] * 100000]|map('join')|list|length }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ [[s] * 100000]|map('safe')|list|length }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ ([s] * 100000)|safe|length }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ ([s] * 100000)|title|length }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ ([s] * 100000)|e|length }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ 'a' in ([s] * 100000)|string }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ 'abc' is startingwith([s] * 100000) }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ ['abc']|select('startingwith', [s] * 100000)|list }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ 'abc' in [[s] * 100000] }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ ([s] * 100000) in 'abc' }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ 'abc'|replace([s] * 100000, 'b') }}", FUEL),
    ("{% set s = 'x' * 100000 %}{{ 'abc'|default([s] * 100000)|length }}", FUEL),
    ("{% set s = 'x' * 100000 %}{% autoescape [s] * 100000 %}{% endautoescape %}", FUEL),
    (
        "{% set s = 'x' * 100000 %}{% autoescape 'json' %}{{ [s] * 100000 }}{% endautoescape %}",
        "invalid value to autoescape tag",
    ),
    ("{% set s = 'x' * 100000 %}{% autoescape true %}{{ [s] * 100000 }}{% endautoescape %}", FUEL),
    ("{% set s = 'x' * 100000 %}{% filter replace('x', [s] * 100000) %}x{% endfilter %}", FUEL),
    ("{% set s = '1' * 99999 %}{{ ([{'a': 1}] * 9999)|sort(attribute=s)|length }}", FUEL),
    ("{% set s = 'a' * 99999 %}{{ ([{'a': 1}] * 9999)|map(attribute=s)|list|length }}", FUEL),
    ("{% set s = 'a' * 99999 %}{{ ([{'a': 1}] * 9999)|groupby(s)|list|length }}", FUEL),
    ("{% set s = 'a' * 99999 %}{{ ([{'a': 1}] * 9999)|unique(attribute=s)|list|length }}", FUEL),
    ("{% set s = 'a' * 99999 %}{{ ([{'a': 1}] * 9999)|join(attribute=s)|length }}", FUEL),
    ("{% set s = 'a' * 99999 %}{{ ([{'a': 1}] * 9999)|max(attribute=s)|length }}", FUEL),
    ("{% set s = 'a' * 99999 %}{{ ([{'a': 1}] * 9999)|sum(attribute=s) }}", FUEL),
    ("{% set s = 'a' * 99999 %}{{ ([{'a': 1}] * 9999)|selectattr(s)|list|length }}", FUEL),
    ("{% set s = 'a,' * 99999 %}{{ ([{'a': 1}] * 99)|sort(attribute=s)|length }}", FUEL),
    ("{{ ('x' * 400000).split('x')|length }}", FUEL),
    ("{{ ('x' * 400000)|split('x')|length }}", FUEL),
    ("{{ ('x ' * 200000).split()|length }}", FUEL),
    ("{{ ('x ' * 200000).split(none, 190000)|length }}", FUEL),
    ("{{ ('x ' * 200000).rsplit()|length }}", FUEL),
    ("{{ ('x' * 400000).rsplit('x')|length }}", FUEL),
    (r"{{ ('\n' * 400000).splitlines()|length }}", FUEL),
    ("{{ ('x' * 400000)|list|length }}", FUEL),
    ("{{ ('x' * 400000)|batch(1)|length }}", FUEL),
    ("{{ ('x' * 400000)|slice(100000)|length }}", FUEL),
    ("{{ ('x' * 400000)|map('upper')|list|length }}", FUEL),
    ("{{ ('x' * 400000)|sort|length }}", FUEL),
    ("{{ ('x' * 400000)|groupby('x')|length }}", FUEL),
    ("{{ ('x' * 400000)|unique|list|length }}", FUEL),
    ("{{ ('x' * 400000)|select|list|length }}", FUEL),
    ("{% for c in 'x' * 400000 %}{% endfor %}", FUEL),
    ("{{ dict(('x' * 400000)|map('list')|list)|length }}", FUEL),
    (r#"{{ ('"' * 3000000)|e|length }}"#, FUEL),
    (r"{{ ('\x00' * 400000)|tojson|length }}", FUEL),
    ("{{ ('é' * 400000)|tojson(ensure_ascii=true)|length }}", FUEL),
    ("{{ strftime_now('%A' * 400000)|length }}", FUEL),
    ("{{ ['%A'] * 99999 }}", FUEL),
    ("{{ f(«1900:a=1,») }}", "unknown function: f is unknown"),
    ("{% for i in range(9999) %}{% set x = messages|tojson %}{% endfor %}", FUEL),
    ("{% for i in range(9999) %}{{ messages == messages[:] }}{% endfor %}", FUEL),
    (
        "{% for a in 'abcdefghij' %}{% for b in 'abcdefghij' %}{% for c in 'abcdefghij' %}{% for d in 'abcdefghij' %}{% for e in 'abcdefghij' %}{% for f in 'abcdefghij' %}x{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
        FUEL,
    ),
    (
        "{% set ns = namespace(l=[]) %}{% for a in range(9999) %}{% set ns.l = [a] + ns.l %}{% endfor %}{{ ns.l|length }}",
        FUEL,
    ),
    ("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}", CALLS),
    ("{% macro a(x=a()) %}{% endmacro %}{{ a() }}", CALLS),
];

#[test]
fn walks_are_paid_for() {
    check(WALKED);
}

/// What looks like an attack and takes little: it renders, and begins so.
const HARMLESS: &[(&str, &str)] = &[
    ("{{ '«100000:(»' }}", "(((((((((((((((((((((((((((((((((((((((("),
    ("{# «100000:(» #}x", "x"),
    ("«120000:x»", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    ("«4000:{{ [1] }}»", "[1][1][1][1][1][1][1][1][1][1][1][1][1]["),
    ("«20000:{# #}»", ""),
    ("{{ {«4000:1:1,»} }}", "{1: 1}"),
    ("{{ [«9000:1,»] == [«3:1,»] }}", "False"),
    ("{{ 2**2**2**2**2**2**2 }}", "18446744073709551616"),
    ("{{ 10.0**300 * 10**37 }}", "inf"),
    ("{% set ns = namespace(x=[1]) %}{% for i in range(900) %}{% set ns.x = ns.x|reverse %}{% endfor %}ok", "ok"),
    ("{% set ns = namespace(x=[1]) %}{% for i in range(900) %}{% set ns.x = ns.x[::1] %}{% endfor %}ok", "ok"),
    ("{% set ns = namespace(x=[1]) %}{% for i in range(900) %}{% set ns.x = ns.x[::-1] %}{% endfor %}ok", "ok"),
    ("{% set ns = namespace(x=[1]) %}{% for i in range(900) %}{% set ns.x = ns.x * 1 %}{% endfor %}ok", "ok"),
    (
        "{% set ns = namespace(x=[[1]]) %}{% for i in range(900) %}{% set ns.x = ns.x|map('reverse') %}{% endfor %}ok",
        "ok",
    ),
    (
        "{% set ns = namespace(x=[{'a':1}]) %}{% for i in range(900) %}{% set ns.x = (ns.x|groupby('a'))[0].list %}{% endfor %}ok",
        "ok",
    ),
    ("{% set ns = namespace() %}{% set ns.x = [1]|map('default', ns)|list %}{{ ns }}", "{'x': [1]}"),
    ("{% set ns = namespace() %}{% set ns.x = namespace %}{{ ns }}", "{'x': function}"),
    (
        "{% set ns = namespace(x='<') %}{% for i in range(60) %}{% set ns.x = (ns.x ~ '')|e ~ '' %}{% endfor %}{{ ns.x }}",
        "&amp;amp;amp;amp;amp;amp;amp;amp;amp;amp",
    ),
    ("{{ ['{0}' * 1000]|map('format', 'x' * 100000)|list|length }}", "1"),
    ("{{ [1]|batch(99999999) }}", "[[1]]"),
    ("{{ [1]|tojson(indent=99999999) }}", "[\n                1\n]"),
    ("{{ ([1] * 9999)|tojson(indent='x' * 9999) }}", "[\nxxxxxxxxxxxxxxxx1,\nxxxxxxxxxxxxxxxx1"),
    ("{{ ('x' * 500000)|reverse|length }}", "500000"),
    ("{{ range(0, 9223372036854775807, 9223372036854775807)|list }}", "[0]"),
    ("{{ range(0, -9223372036854775808, -9223372036854775808)|list }}", "[0]"),
    ("{{ [1,2,3][::4294967296] }}", "[1]"),
    ("{{ [1,2,3][::-4294967296] }}", "[3]"),
    ("{{ 'abc'[::4294967296] }}", "a"),
    ("{{ [1,2,3][::-9223372036854775808] }}", "[3]"),
    ("{{ [1,2,3][-9223372036854775808:9223372036854775807] }}", "[1, 2, 3]"),
    ("{{ [1,2,3][99999999999999999999] }}", ""),
    ("{{ 1.5|round(99999999) }}", "1.5"),
    ("{{ 1.5|round(-99999999) }}", "0.0"),
    ("{{ 15|round(-99999999) }}", "0"),
    ("{{ ('9' * 499999)|int }}", "170141183460469231731687303715884105727"),
    ("{{ ('9' * 499999)|float }}", "inf"),
    ("{{ (1e308 * 10)|int }}", "170141183460469231731687303715884105727"),
    ("{{ (0 - 9223372036854775807 - 1) // (0-1) }}", "9223372036854775808"),
    ("{% for x in [1] %}{% call loop.cycle() %}{% endcall %}{% endfor %}", "{'caller': <macro caller>}"),
    (
        "{% set s = 'x' * 99999 %}{% for i in range(4999) %}{{ s[5] }}{% endfor %}",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ),
    ("{% set s = 'x' * 99999 %}{{ s.strip(s)|length }}{{ s.strip('y' * 99999 ~ 'x')|length }}", "00"),
    ("{% set s = 'x' * 99999 %}{{ s|trim('y' * 99999 ~ 'x')|length }}", "0"),
    ("{% set s = 'x' * 99999 %}{{ s.lstrip('y' * 99999 ~ 'x')|length }}", "0"),
    ("{{ ([[1]] * 9999)|sum(start=[])|length }}", "9999"),
    ("{{ ([{'a': [1]}] * 4999)|sum('a', [])|length }}", "4999"),
    ("{{ ([(1,)] * 9999)|sum(start=())|length }}", "9999"),
    ("{% macro f() %}{% endmacro %}{% set m = dict() %}{% for i in range(4999) %}{{ f(**m) }}{% endfor %}", ""),
    ("{% for a in range(4999) %}{% macro m() %}{{ a }}{% endmacro %}{% endfor %}", ""),
    ("{% for a in range(4999) %}{% set b %}{{ a }}{% endset %}{% endfor %}", ""),
    (
        "{% set x = {'a': 1} %}{% for k in x %}{{ k }}{% endfor %}{{ x.items()|list }}{{ x.keys()|list }}{{ x|dictsort }}{{ messages|map(attribute='role')|list }}{{ messages|selectattr('role', 'equalto', 'user')|list|length }}{{ 'a,b'.split(',') }}",
        "a[('a', 1)]['a'][('a', 1)]['user', 'assi",
    ),
    (
        "{% filter upper|replace('X', 'y') %}x{{ 1 }}{% endfilter %}{% set z | upper %}q{% endset %}{{ z }}{{ [1, 2] + [3] }}{{ 2 * 3 }}{{ 'ab' * 2 }}{{ [1] * 2 }}{{ 2.5 * 2 }}{{ true * 3 }}{{ 'x' in 'xy' }}{{ 1 < 2 < 3 }}{{ (1, 2)[0:1] }}{{ 'abc'[::-1] }}",
        "y1Q[1, 2, 3]6abab[1, 1]5.03TrueTrue(1,)c",
    ),
    ("{{ [['a']]|map('map', 'upper')|list }}", "[['A']]"),
    ("{{ ('x' * 400000)|reverse|length }}", "400000"),
    ("{{ strftime_now('%' * 200000)|length }}", "100000"),
    ("{{ 'a'«19000: 'b'» }}", "abbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
    ("{{ dict(«1900:a=1,») }}", "{'a': 1}"),
    ("{% macro m(«1900:a,») %}{% endmacro %}{{ m() }}", ""),
    ("{% set ns = namespace() %}{% set ns.x = 1 %}{% set ns2 = namespace(ns) %}{{ ns2.x }}", "1"),
    ("{% set ns = namespace(m=messages) %}{% set ns.m = ns.m + ns.m %}{{ ns.m|length }}", "4"),
    (
        "{% macro a() %}{{ caller() }}{% endmacro %}{% call a() %}{% call a() %}{% call a() %}x{% endcall %}{% endcall %}{% endcall %}",
        "x",
    ),
    (
        "{{ messages|map('attr', 'role')|map('upper')|list|join('-') }}{{ [3,1,2]|sort|join }}{{ [1,2]|sum }}{{ messages|groupby('role')|map('first')|list }}{{ [{'a': [1]}, {'a': [2]}]|sum('a', []) }}{% for g in messages|groupby('role') %}{{ g.grouper }}{{ g.list|length }}{% endfor %}",
        "USER-ASSISTANT1233['assistant', 'user'][",
    ),
];

#[test]
fn what_takes_little_is_rendered() {
    for (source, begins) in HARMLESS {
        let prompt = outcome(source).unwrap_or_else(|(_, reason)| panic!("{source}: {reason}"));
        assert!(prompt.starts_with(begins), "{source}: {prompt:.60?}");
    }
}

/// Errors name the line, however the budget ends.
#[test]
fn lines_are_named() {
    for (source, line) in [
        ("a\n{% for a in range(9000) %}\n{{ range(9000) | list | length }}{% endfor %}", 3),
        ("\n\n{{ 'x' * 100000000000 }}", 3),
        ("{% macro f(n) %}\n{{ f(n + 1) }}{% endmacro %}\n{{ f(0) }}", 2),
        ("\n{{ «5000:(»1«5000:)» }}", 2),
        ("\n\n«5000:{% if 1 %}»", 3),
        ("{% for i in range(9) %}{% with a = 1 %}\n{% break %}{% endwith %}{% endfor %}", 2),
    ] {
        let (at, reason) = outcome(source).expect_err(source);
        assert_eq!(at, line, "{source}: {reason}");
    }
}

/// A long conversation is no attack, and pays for itself.
#[test]
fn what_a_caller_gives_is_paid_for() {
    let source = "{% for m in messages %}{% set ns = namespace(t=m.content.split('</think>')[-1] | trim) %}\
                  {{ '<' + m.role + '>\\n' + ns.t + '\\n' }}{{ messages[loop.index0:] | length }}{{ m | tojson }}{% endfor %}";
    let template = ChatTemplate::new(source, None, None).expect("compiles");
    for (count, bytes) in [(500, 20), (2, 1 << 20), (100, 10_000)] {
        let messages: Vec<_> =
            (0..count).map(|_| json!({"role": "user", "content": "word ".repeat(bytes / 5)})).collect();
        let prompt = template.render(&messages, &RenderOptions::default()).unwrap_or_else(|error| panic!("{error}"));
        assert!(prompt.len() > 2 * count * (bytes - 5), "{count} messages of {bytes} bytes");
    }
}
