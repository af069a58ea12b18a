"""Expected texts for tests/it/chat.rs: small templates as jinja2 renders them, set up as Hugging Face transformers does.

    python tests/golden/jinja.py > tests/golden/jinja.json

A line without tags is an expression. jinja2 3.1.6, Python 3.11.
"""

import datetime
import json
import re

import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2026, 11, 29, 12)
MESSAGES = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]

LINES = r"""
1e20
1e16
1e-5
0.1+0.2
1e15
[1e20, 1.5, 1e-7]
1e20 ~ ''
[1e16]|string
1e16|string
[1e16,2]|join(',')
'%s'|format(1e16)
'{}'.format(1e16)
1/3
2.0*3
7//2
-7//2
-7%3
7.5//2
-7.5%2
2**10
2**-1
2**0.5
10**20
true+1
1e308*10
(1e308*10)|string
"it's"
["it's"]
['a"b']
['a\'b"c']
['\n\t\\']
['é\u2581\x00\x7f\xa0\u200b']
[none,true,1.0,'x']
(1,)
(1,2)
()
{'a':1,2:[1]}
{}
[]
[[],{},()]
none
undefined_thing
[undefined_thing]
undefined_thing is iterable
undefined_thing is sequence
undefined_thing is string
undefined_thing is mapping
undefined_thing is none
undefined_thing|length
undefined_thing|list
undefined_thing|default('x')
none|default('x')
none|default('x', true)
''|default('x', true)
none is iterable
none is sequence
'a' is sequence
'a' is iterable
{} is sequence
{} is iterable
5 is iterable
5 is sequence
(1,) is sequence
range(3) is sequence
range(3) is iterable
{'a':1}.items() is iterable
[1]|map('string') is iterable
true is integer
true is number
true is float
true is boolean
1.0 is integer
1 is float
1.0 is number
'a' is number
'a' is lower
'A' is upper
'a1' is lower
'1' is lower
1 is odd
2 is even
2.0 is even
4 is divisibleby 2
4 is divisibleby(3)
1 is sameas 1
none is sameas none
true is sameas true
1 is sameas true
'a' is eq 'a'
1 is in [1,2]
'a' is in 'abc'
range is callable
'a' is callable
undefined_thing is callable
'upper' is filter
'nope' is filter
'odd' is test
'nope' is test
'a' is escaped
1 == 1.0
1 == true
'1' == 1
[1,2] == (1,2)
none == false
'a' < 'b'
[1,2] < [1,3]
(1,2) < (1,3)
'a' in {'a':1}
1 in [1]
'x' not in 'abc'
1 if false
(1 if false) is defined
not 1
not none
1 and 2
0 or 'x'
none or ''
'' and 1
'abc'[0]
'abc'[-1]
'abc'[5]
'abc'[1:]
'abc'[::-1]
[1,2,3][1:]
[1,2,3][-1]
[1,2,3][10]
{'a':1}.a
{'a':1}['b']
{'a':1}.b
{'items':1}['items']
{'a':1}.get('b')
{'a':1}.get('b','d')
{'a':1}.items()|list
{'a':1}.keys()|list
{'a':1}.values()|list
{'a':1}|items|list
{'a':1}.copy()
[1,2,1].count(1)
[1,2,1].index(2)
[1,2].copy()
(1,2).count(1)
(1,2).index(2)
messages[0].role
messages[0]['content']
messages[-1].content
messages|length
messages|map(attribute='role')|list
messages|map(attribute='role')|join(', ')
messages|selectattr('role','equalto','user')|list
messages|selectattr('role','==','user')|map(attribute='content')|list
messages|rejectattr('role','eq','user')|list
messages|selectattr('nope')|list
messages|selectattr('nope','undefined')|list|length
messages|selectattr('role','in',['user'])|list|length
messages|groupby('role')
messages|groupby('role')|map('first')|list
messages|first
messages|last
messages|map(attribute='x', default='d')|list
[1,2,3]|sum
[1.5,2]|sum
[{'a':1},{'a':2}]|sum(attribute='a')
[{'a':1},{'a':2}]|sum('a', 10)
[[1],[2]]|sum(start=[])
[1,2,3]|max
[1,2,3]|min
[]|max
['b','A']|max
['b','A']|min
[{'a':1},{'a':2}]|max(attribute='a')
[3,1,2]|sort
[3,1,2]|sort(reverse=true)
['b','A','c']|sort
['b','A','c']|sort(case_sensitive=true)
[{'a':2,'b':1},{'a':1,'b':1}]|sort(attribute='a')
[{'a':2,'b':1},{'a':1,'b':1}]|sort(attribute='b,a')
[1,1,2]|unique|list
['a','A']|unique|list
['a','A']|unique(true)|list
[1,2,3]|reverse|list
'abc'|reverse
[1,2,3,4]|batch(3)|list
[1,2,3,4]|batch(3,'x')|list
[1,2,3,4]|slice(3)|list
[1,2,3,4]|slice(3,'x')|list
'a,b'|list
{'a':1}|list
'abc'|first
'abc'|last
[]|first
[]|last
[]|first is defined
'abc'|length
{'a':1,'b':2}|length
'abc'|upper
'ABC'|lower
'hello world'|title
"it's a dog's-life"|title
'HELLO wORLD'|capitalize
'hello world'.title()
"it's a dog's-life".title()
'HELLO wORLD'.capitalize()
'a b c'|replace(' ','-')
'a b c'|replace(' ','-',1)
'aaa'|replace('a','b',count=2)
' x '|trim
'xax'|trim('x')
5|string
true|string
none|string
'5'|int
'5.9'|int
'x'|int
'x'|int(7)
'0x1f'|int(base=16)
'0x1f'|int(0,16)
'101'|int(base=2)
5.9|int
none|int
true|int
'1.5'|float
'x'|float
'x'|float(2.5)
5|float
-5|abs
-5.5|abs
2.5|round
3.5|round
2.567|round(2)
2.567|round(2,'floor')
2.567|round(2,'ceil')
42.55|round(1)
42|round
1234|round(-2)
1234.5|round(-2)
2.5|round(method='ceil')
2.5|round|int
'<a href="x">\'&'|e
'<a>'|escape
'<a>'|safe
'<a>'|forceescape
'a\nb'|indent
'a\nb\n'|indent
'a\nb\n\nc'|indent(2)
'a\n\nb'|indent(2,true)
'a\n\nb'|indent(2,true,true)
'a\nb'|indent('> ')
'a\nb'|indent(width=3, first=true)
'a\nb\n'|indent(2, blank=true)
''|indent(2,true)
'a\r\nb'|indent(2)
'abc def ghi'|truncate(5)
'abc def ghi'|truncate(5,true)
'abc def ghi jkl'|truncate(9)
'abc def ghi jkl'|truncate(9,true)
'abc def ghi jkl'|truncate(9,true,'..')
'abc def ghi jkl'|truncate(9,false,'..',0)
'abc def ghi jkl'|truncate(9,leeway=0)
'foo bar baz qux'|truncate(11)
'foo bar baz qux'|truncate(11, False, '...', 0)
('ab '*100)|truncate
('ab '*100)|truncate(killwords=true, end='…')
'a b c'|wordcount
"it's a dog-house, ok"|wordcount
''|wordcount
'a b/ü&?'|urlencode
{'a':1,'b c':'d e'}|urlencode
[('a',1),('b','x y')]|urlencode
5|urlencode
'abc'|center(10)
'abc'|center
'abc'|center(2)
{'b':1,'A':2}|dictsort
{'b':1,'A':2}|dictsort(true)
{'b':1,'A':2}|dictsort(false,'value')
{'b':1,'A':2}|dictsort(by='value',reverse=true)
{'b':1,'a':2}|dictsort(reverse=true)
{'b':'B','a':'a'}|dictsort(by='value')
[1,2,3]|select('odd')|list
[1,2,3]|reject('odd')|list
[0,1,'']|select|list
[1,2,3]|select('>',1)|list
[1,2,3]|select('gt',1)|list
['a','b']|map('upper')|list
['a ','b']|map('trim')|join
[[1,2],[3]]|map('length')|list
['a','b']|map('replace','a','x')|list
[1,2]|join
[1,2]|join(', ')
[{'a':1}]|join(',',attribute='a')
'abc'|join('-')
[1.0,none,true]|join(',')
'a b c'.split()
'a b c'.split(maxsplit=1)
'a b c'.split(' ', maxsplit=1)
'a b c'.split(sep=' ')
'a b c'.split(none, 1)
'a  b '.split(' ')
'a,b,c'.rsplit(',', 1)
'a,b,c'.rsplit(',', maxsplit=1)
'a b c'.rsplit(maxsplit=1)
'a\nb\r\nc\x0bd\u2028e'.splitlines()
'a\nb\n'.splitlines(true)
'a\nb\n'.splitlines(keepends=true)
'abcabc'.find('c')
'abcabc'.find('c',3)
'abcabc'.find('c',3,4)
'abcabc'.rfind('c')
'abcabc'.rfind('c',0,3)
'abcabc'.index('c')
'abcabc'.rindex('c')
'abcabc'.count('c')
'abcabc'.count('c',3)
'abc'.count('')
'abc'.startswith('b',1)
'abc'.startswith(('x','a'))
'abc'.endswith('c')
'abc'.endswith('b',0,2)
'aXb'.swapcase()
'7'.zfill(3)
'-7'.zfill(4)
'+7'.zfill(1)
'abc'.zfill(5)
'a'.ljust(3)
'a'.ljust(3,'.')
'a'.rjust(3,'é')
'a'.center(4,'*')
'ab'.center(5,'*')
'abc'.center(1)
'hello world foo'.title()
'HELLO'.casefold()
'ß'.casefold()
'ß'.upper()
'a\tb'.expandtabs()
'a\tb\n\tc'.expandtabs(4)
'a-b-c'.partition('-')
'a-b-c'.rpartition('-')
'abc'.partition('x')
'abc'.rpartition('x')
'abc'.removeprefix('a')
'abc'.removesuffix('c')
'abc'.isalpha()
'abc1'.isalnum()
'123'.isdigit()
'½'.isnumeric()
'½'.isdigit()
'²'.isdigit()
'²'.isdecimal()
'12'.isdecimal()
'a_1'.isidentifier()
'1a'.isidentifier()
'abc\n'.isprintable()
''.isprintable()
'Hello World'.istitle()
'Hello world'.istitle()
' \t'.isspace()
''.isspace()
'ABC'.isupper()
'abc'.islower()
'abc'.isascii()
'é'.isascii()
','.join(['a','b'])
','.join('abc')
'abc'.replace('b','x')
'aaa'.replace('a','b',2)
'aaa'.replace('','-')
'abc'.strip('ac')
'  a '.lstrip()
'xxa'.lstrip('x')
'{} {}'.format(1,2)
'{1} {0}'.format(1,2)
'{a}'.format(a=1)
'{:>5}|{:<5}|{:^5}'.format('a','b','c')
'{:.2f}'.format(3.14159)
'{:,}'.format(1234567)
'{0.role}'.format(messages[0])
'{0[role]}'.format(messages[0])
'{:05d}'.format(42)
'{:x}'.format(255)
'{{}}'.format()
'{}'.format([1.0,'a'])
'{}'.format(none)
'{}'.format(true)
'%.2f' % 1.005
'%5d|%-5d|%05d' % (1,2,3)
'%s' % [1,2]
'%s' % none
'%s' % true
'%(a)s' % {'a':1}
'%s' % {'a':1}
'%%' % ()
'%d%%' % 5
'%x %o %e %g' % (255,8,1234.5,0.00001)
'%c' % 'a'
'%i' % 5
'%5s|%-5s|' % ('a','b')
'%+d' % 5
'%s'|format('a')
'%(a)s'|format(a=1)
'%.1f'|format(2.25)
'%03d'|format(7)
5 % 3
-5 % 3
5 % -3
5.5 % 2
-5.5 % 2
true % 2
{% set n = 5 %}{{ n % 3 }}{{ 2.5 % n }}
{'a':1}.get('a', 2)
{'a':1,'b':2}.items()|map('first')|list
'abc'.upper().lower()
(2.0).is_integer()
(5.5)|int
'abc'.__class__
'abc'.nope
'abc'.nope is defined
{% for c in 'abc' %}{{ c }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.nextitem }};{% endfor %}
{% for c in [1,2,3] if c > 1 %}{{ loop.index }}{{ loop.last }}{{ loop.length }}{{ c }};{% endfor %}
{% for k in {'a':1,'b':2} %}{{ k }}{{ loop.last }}{% endfor %}
{% for k,v in {'a':1,'b':2}.items() %}{{ k }}{{ v }}{{ loop.last }}{{ loop.index0 }}{% endfor %}
{% for k,v in {'a':1,'b':2}|dictsort %}{{ k }}{{ v }}{{ loop.last }}{% endfor %}
{% for x in [1,2,3]|reverse %}{{ x }}{{ loop.last }}{% endfor %}
{% for x in 'abc'|reverse %}{{ x }}{{ loop.last }}{% endfor %}
{% for x in range(3) %}{{ x }}{{ loop.last }}{{ loop.length }}{% endfor %}
{% for x in [1,2,3]|batch(2) %}{{ x }}{{ loop.last }}{% endfor %}
{% for x in ['a','b']|map('upper') %}{{ x }}{{ loop.last }}{% endfor %}
{% for x in [1,2]|select('odd') %}{{ x }}{{ loop.last }}{% endfor %}
{% for x in [] %}x{% else %}none{% endfor %}
{% for x in undefined_thing %}x{% else %}none{% endfor %}
{% for x in [1,2,3] %}{{ loop.previtem }}-{{ loop.nextitem }};{% endfor %}
{% for x in [1,1,2] %}{{ loop.changed(x) }}{{ loop.cycle('a','b') }}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}
{% for x in [1,2,3,4] %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in [[1,[2]],[3]] recursive %}{% if x is iterable %}{{ loop(x) }}{% else %}{{ x }}{% endif %}{% endfor %}
{% for a, b in [(1,2),[3,4]] %}{{ a }}{{ b }}{% endfor %}
{% for a, (b, c) in [(1,(2,3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set x %}a{{ 1 }}b{% endset %}{{ x }}
{% set x | upper %}abc{% endset %}{{ x }}
{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}
{% if true %}{% set y = 5 %}{% endif %}{{ y }}
{% with a=1, b=2 %}{{ a + b }}{% endwith %}
{% with a=1 %}{% set b = a %}{{ b }}{% endwith %}{{ b }}
{% filter upper %}abc{% endfilter %}
{% filter indent(2) %}a\nb{% endfilter %}
{% raw %}{{ x }}{% endraw %}
{# c #}a
{% macro m(a, b='d', c=none) %}{{ a }}{{ b }}{{ c is none }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1) }}
{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1,2,3,x=4) }}
{% macro m() %}{{ varargs|join(',') }}{{ kwargs.x }}{% endmacro %}{{ m(1,2,3,x=4) }}
{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m() }}
{% macro f(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(1,2) }}{{ f(a=3) }}
{% macro f(a, b=a+1, c=b+1) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }}{{ f(1,5) }}{{ f(1,c=9) }}
{% set z = 7 %}{% macro f(a=z) %}{{ a }}{% endmacro %}{{ f() }}
{% macro f(a) %}{{ caller() }}{% endmacro %}{% call f(1) %}x{% endcall %}
{% macro f(a) %}{{ caller(a) }}{% endmacro %}{% call(y) f(1) %}x{{ y }}{% endcall %}
{% macro f() %}{% if caller %}c{% else %}n{% endif %}{% endmacro %}{{ f() }}
{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(3) }}
{% macro f(x) -%}  a  {%- endmacro %}[{{ f(1) }}]
{% set ns = namespace(a=1) %}{% set ns.a = ns.a + 1 %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}
{% set ns = namespace({'a':1}, b=2) %}{{ ns.a }}{{ ns.b }}
{% set ns = namespace() %}{% set ns.x %}t{% endset %}{{ ns.x }}
{% generation %}x{% endgeneration %}y
strftime_now('%D')
strftime_now('%x')
strftime_now('%X')
strftime_now('%c')
strftime_now('%r')
strftime_now('%R')
strftime_now('%T')
strftime_now('%F')
strftime_now('%u %U %W %V %G %g')
strftime_now('%C')
strftime_now('%Z')
strftime_now('%z')
strftime_now('%n%t')
strftime_now('%k %l')
strftime_now('%P')
strftime_now('%f')
strftime_now('%-d %-m %-H %-I %-M %-S %-j %-y')
strftime_now('%s') is string
strftime_now('%E')
strftime_now('%Ey %Od')
strftime_now('%_d|%_H|%^a|%^B|%#Z|%05d|%+4Y|%10A')
strftime_now('%e %h %j %w %p %y')
strftime_now('%')
strftime_now('%Q')
strftime_now('100%% %d')
[1,{'a':none}]|tojson
{'a':1.0,'b':1e20,'c':[true]}|tojson
{'b':1,'a':2}|tojson(sort_keys=true)
{'b':1,'a':[1,2]}|tojson(indent=2)
[]|tojson(indent=2)
{}|tojson(indent=2)
{'b':1,'a':[]}|tojson(indent=4)
{'a':1}|tojson(separators=(',',':'))
'é"\n/<>'|tojson
'é😀'|tojson(ensure_ascii=true)
{1:2,none:3,true:4,1.5:5}|tojson
(1,2)|tojson
'\x7f\u2028'|tojson
{'a':1}|tojson(indent='\t')
{'a':1,'b':2}|tojson(indent=0)
'\x41\u00e9\t|\'|\"|\\|\/|\a|\0|\n|\u2581'
'\ud83d\ude00' is string
"\"\'"
'a' 'b'
'a' "b" ~ 'c'
'é\x41'
{% set x = 'a' if false %}{{ x }}
{{ 5 }}  {{ 6 }}
{{ {'a': 1,} }}{{ [1,] }}{{ (1,2,) }}
{{ 1 if true else 2 }}{{ 'x' if undefined_thing else 'y' }}
{{ not true and false }}{{ not (true and false) }}
{{ 1 + 2 * 3 ** 2 }}{{ -2 ** 2 }}{{ (1 + 2) * 3 }}{{ 2 ** 3 ** 2 }}
{{ 1 in [1] and 2 not in [1] }}
{{ 1 < 2 < 3 }}{{ 1 < 2 > 3 }}{{ 1 == 1 == 1 }}
{{ 'abc'|upper|lower ~ 'x' }}
{{ -1|abs }}{{ (-1)|abs }}
{{ 10 // 3 }}{{ 10 / 4 }}{{ 10 / 5 }}
{{ true and 'x' }}{{ false or none }}
{{ 1_000 }}{{ 0x1F }}{{ 0b11 }}{{ 0o17 }}{{ 1.5e3 }}{{ 1e3 }}
{{ 'a' is string and 'b' is string }}
{{ x is not defined }}{{ x is undefined }}{{ 1 is not string }}
{{ 3 is divisibleby 3 and true }}
{{ [1,2,3][0:2] }}{{ [1,2,3][:-1] }}{{ [1,2,3][::2] }}{{ 'hello'[1:3] }}{{ (1,2,3)[1:] }}
{{ messages[0]['role'][0] }}
{{ messages[5] }}
{{ messages[0].nope }}
{{ 'x' ~ undefined_thing }}
{{ [1] + [2] }}{{ (1,) + (2,) }}
{{ [1] * 2 }}{{ 'ab' * 2 }}{{ 2 * 'ab' }}
{{ undefined_thing == none }}{{ undefined_thing == undefined_other }}
{{ none == none }}{{ {} == {} }}{{ {'a':1,'b':2} == {'b':2,'a':1} }}
{{ dict(a=1, b=2) }}{{ dict({'a':1}, b=2) }}{{ dict([('a',1)]) }}
{{ lipsum is defined }}{{ cycler is defined }}{{ joiner is defined }}{{ namespace is defined }}
{% set j = joiner() %}{{ j() }}{{ j() }}{{ j() }}
{{ 'a'|default }}{{ undefined_thing|d('x') }}{{ undefined_thing|default(default_value='q') }}{{ ''|default('x', boolean=true) }}
{{ 2.567|round(precision=1) }}{{ [1,2,3]|batch(linecount=2)|list }}{{ 'xax'|trim(chars='x') }}{{ 'x'|int(default=3) }}{{ 'a'|center(width=3) }}
{{ [{'a':1},{}]|groupby('a', default=2) }}
{{ [{'a':'x'},{'a':'X'}]|groupby('a') }}
{{ [{'a':'x'},{'a':'X'}]|groupby('a', case_sensitive=true) }}
{% for g, l in [{'a':1},{'a':2}]|groupby('a') %}{{ g }}{{ l }}{% endfor %}
{{ [{'a':{'b':1}}]|map(attribute='a.b')|list }}
{{ [[1,2]]|map(attribute=0)|list }}{{ [[1,2]]|map(attribute='1')|list }}
{{ [1,2,3]|map('string')|map('int')|sum }}
{{ ['b','a']|sort|join(',') }}
{{ 'abc'|list|join('-') }}
{{ {'a':1}|tojson|length }}
{{ (1,2,3)|last }}{{ {'a':1}|first }}
{{ 'x'|string is string }}{{ 5|string + 'x' }}
{{ messages|string }}
{{ messages }}
{{ ['a','b']|join(', ') if true }}
{{ 'Hello'|replace('l','L')|upper }}
{{ [none, 1]|select('none')|list }}
{{ [1,none]|reject('none')|list }}
{{ [{'x':1},{'x':none}]|selectattr('x','none')|list }}
{{ [{'x':1},{'x':none}]|selectattr('x')|list }}
{{ [{'x':1},{'x':2}]|rejectattr('x','equalto',1)|list }}
{{ [{'x':1},{'x':2}]|selectattr('x','gt',1)|map(attribute='x')|list }}
{{ ['ab','cd']|select('in','abxx')|list }}
{{ ['x']|map('upper')|first }}
{{ 'a b'.split(' ')|map('capitalize')|join(' ') }}
{{ [1,[2,[3]]]|string }}
{{ 'a' if 'a' in ['a'] else 'b' }}
{{ {'a':[1,2]}.a[1] }}
{{ {'a':{'b':2}}['a']['b'] }}
{{ {1:2}[1] }}
{{ {none:2}[none] }}
{{ 'abc'[true] }}
{{ [1,2][true] }}
{{ [1,2]['x'] }}
{{ 5['x'] }}
{{ none.x }}
{{ none['x'] }}
{{ true ~ none ~ 1.0 }}
{{ 3.0 == 3 }}{{ 0.1 + 0.2 == 0.3 }}
{{ 1000000 * 1000000 * 1000000 * 1000000 }}
{{ 99999999999999999999 }}
{{ -5 // 2 }}{{ 5 // -2 }}{{ 5.0 // 2 }}
{{ 5 / 2.5 }}{{ 4 * 0.5 }}
{{ '5' * 3 }}
{{ '10' | int + 5 }}
{{ ' 5 '|int }}{{ '1e3'|float }}{{ '1e3'|int }}{{ '1_0'|int }}{{ 'inf'|float }}{{ '5.99'|int }}
{{ [1, 2] | int }}
{% autoescape true %}{{ '<a>' }}{% endautoescape %}
{{ '<a>'|e|length }}{{ '<a>'|e ~ '<' }}
{{ ('<a>'|safe) ~ '<b>' }}
{{ 'a'|upper is upper }}
{% if messages[0].role == 'user' and messages[0]['content'] is string %}y{% endif %}
{% if 'a' in messages[0] or 'role' in messages[0] %}y{% endif %}
{% if messages[0].content %}y{% endif %}{% if not messages[0].tools %}n{% endif %}
{{ messages[0].items()|list }}
{{ messages[0] | items | list }}
{{ messages[1:]|length }}{{ messages[::-1][0].role }}{{ messages[:1] }}
{{ loop }}
{{ bos_token }}{{ eos_token }}{{ add_generation_prompt }}{{ tools }}{{ documents }}
{{ 'a,b;c'.replace(',', ';').split(';') }}
{% set x = messages|map(attribute='content')|list %}{{ x }}
{% set x = ['a'] %}{% set x = x + ['b'] %}{{ x }}
{% set d = {'a':1} %}{% set d = dict(d, b=2) %}{{ d }}
{% set d = dict(d or {}, **{'k': 1}) %}{{ d }}
{{ 1 if 0 else 2 if 0 else 3 }}
{{ (messages|last).role }}{{ (messages|first)['role'] }}
{{ messages|length - 1 }}{{ messages|length > 1 }}
{{ 'ab' < 'b' }}{{ 'B' < 'a' }}
{{ ['a', 'B']|min }}{{ ['a', 'B']|max }}{{ ['a','B']|min(case_sensitive=true) }}
{% for m in messages %}{% for c in m.content %}{{ loop.index }}{{ c }}{% if not loop.last %},{% endif %}{% endfor %};{% endfor %}
{% for m in messages recursive %}{{ loop.depth }}{{ m.role }}{% endfor %}
{% for k, v in messages[0].items() %}{{ k }}={{ v }}{{ ', ' if not loop.last }}{% endfor %}
{% for x in 'ab' recursive %}{{ x }}{{ loop.last }}{% endfor %}
{% macro a(x, y=x|upper, z=[x,y]) %}{{ x }}{{ y }}{{ z }}{% endmacro %}{{ a('q') }}{{ a('q', 'r') }}{{ a('q', z=1) }}{{ a(y=2, x=1) }}
{% macro outer(a) %}{% macro inner(b=a) %}{{ b }}{% endmacro %}{{ inner() }}{% endmacro %}{{ outer(3) }}
{% macro v(a) %}{{ a }}|{{ varargs|length }}|{{ kwargs|length }}|{{ kwargs.get('k') }}{% endmacro %}{{ v(1) }} {{ v(1,2) }} {{ v(1,k=2) }} {{ v(a=1) }} {{ v(*[1,2,3]) }} {{ v(**{'a':1,'k':5}) }}
{% macro v() %}{{ caller() }}{{ varargs }}{% endmacro %}{% call v(1) %}c{% endcall %}
{% macro v() %}{% for x in varargs %}{{ x }}{{ loop.last }}{% endfor %}{% endmacro %}{{ v('a','b') }}
{{ '%s' % messages }}
{{ '%s and %s' % ('a', ['b']) }}
{{ '%-10s|' % 'ab' }}{{ '%5.1f' % 3.14159 }}{{ '%e' % 12345.678 }}{{ '%s%%' % 50 }}
{{ '%s' % 1e20 }}{{ '%s' % 1.0 }}{{ '%d' % true }}{{ '%s' % (1,) }}{{ '%s' % ((1,2),) }}
{% set x = '%d items' % 3 %}{{ x }}
{% set fmt = 'n=%s' %}{{ fmt % 'q' }}{{ (fmt ~ '%s') % ('a', 'b') }}
{{ 7 % 3 * 2 }}{{ 10 - 7 % 4 }}{{ loop_index % 2 if loop_index is defined else 'u' }}
{% for x in [1,2,3] %}{{ loop.index0 % 2 == 0 }}{% endfor %}
{{ -7 % 3 }}{{ 7 % -3 }}{{ 7.5 % -2 }}{{ -7.5 % 2 }}{{ 0 % 5 }}{{ -6 % 3 }}{{ 5 % 5.0 }}
{{ 'abc'|indent(2, true) }}{{ 'a\n\nb'|indent }}{{ ''|indent }}{{ '\n'|indent(1) }}{{ '\na'|indent(1,true) }}
{{ 'a b c d'|truncate(3, false, '', 0) }}{{ 'abc'|truncate(2, true, '', 0) }}{{ 'é'*10|int }}
{{ 'a\u00a0b c'|wordcount }}{{ 'x_y z'|wordcount }}{{ 5|wordcount }}
{{ messages|dictsort if false }}{{ {'b':{'x':1},'a':2}|dictsort|first }}
{{ {'a':1e-7, 'b':[1.5e300]} }}{{ {1.0:2} }}{{ [true, none, 1e5] }}
{{ 100000000000000000000.0 }}{{ 123456.789e3 }}{{ 0.1 }}{{ 1e-4 }}{{ 1.0e-10 }}{{ -0.0 }}{{ 1e22 }}{{ 5e-324 }}
{{ 3|float }}{{ '3'|float }}{{ 1e3|int }}{{ 3.7|string }}{{ [3.0]|join }}{{ 3.0 ~ 'x' }}{{ 'x' ~ 1e16 }}
{{ (1e16)|tojson }}{{ [1e-7]|tojson }}{{ 1.0|tojson }}
{{ ['a\\b', 'a\tb', "a\nb", 'a\rb'] }}
{{ 'abc'.find('') }}{{ 'abc'.rfind('') }}{{ 'abc'.find('z') }}{{ 'abc'.count('b', 0, -1) }}{{ 'abc'.find('b', -2) }}{{ 'abc'.startswith('') }}{{ 'abc'.startswith('a', 5) }}
{{ 'a,b,,c'.split(',') }}{{ ''.split(',') }}{{ ''.split() }}{{ ' a  b '.split() }}{{ 'a b  c '.split(none, 1) }}{{ ' a b  c '.rsplit(none, 1) }}{{ 'abc'.split('abc') }}
{{ ''.splitlines() }}{{ '\n'.splitlines() }}{{ 'a\r\nb\rc'.splitlines(true) }}{{ 'a'.splitlines() }}
{{ 'ab'.center(7, '-') }}{{ 'abc'.center(6) }}|{{ 'ab'|center(7) }}|{{ ''.center(3, 'x') }}
{{ '-12'.zfill(6) }}{{ '--1'.zfill(5) }}{{ ''.zfill(2) }}{{ 'ab'.zfill(1) }}
{{ 'they\'re bill\'s'.title() }}{{ 'x1y'.title() }}{{ 'ABC'.istitle() }}{{ ''.istitle() }}{{ '1'.istitle() }}{{ 'A b'.istitle() }}
{{ none is sequence }}{{ true is iterable }}{{ messages is sequence }}{{ messages[0] is sequence }}{{ messages[0] is iterable }}{{ messages is iterable }}{{ messages is mapping }}
{{ tools is iterable }}{{ tools is sequence }}{{ tools is none }}{{ tools is defined }}{{ tools }}
{% if tools is iterable and tools is not string and tools is not mapping %}x{% else %}y{% endif %}
{{ namespace(a=1) is iterable }}{{ namespace is callable }}{{ [].append is defined }}
{{ [1,2] is sequence and [1,2] is not string }}{{ (1,2) is sequence }}{{ range(2) is sequence }}
{{ 'a' is in ['a'] }}{{ 'x' is not in 'abc' }}{{ 5 is gt 3 }}{{ 5 is ge(5) }}{{ 'a' is ne('b') }}
{{ '<a href="x">&\'</a>' | e }}{{ '<' | e | e }}{{ '<' | forceescape | e }}{{ ['<'] | e }}{{ 5|e }}
{{ '{"a": 1}' | e }}{{ 'a' | safe }}
{{ {'x': 'a&b', 'y': none}|urlencode }}{{ 'a+b/c d'|urlencode }}{{ ''|urlencode }}{{ {}|urlencode }}
{{ [1,2,3]|batch(2, 0)|list }}{{ [1,2,3,4,5]|slice(2)|list }}{{ [1,2,3]|batch(2, fill_with='x')|list }}
{{ [{'n':'b'},{'n':'A'}]|sort(attribute='n')|map(attribute='n')|list }}{{ [{'n':'b'},{'n':'A'}]|sort(true, true, 'n')|map(attribute='n')|list }}
{{ [3,1,2]|sort|join(', ') }}{{ 'hello'|sort|join }}{{ 'hello'|unique|join }}{{ 'hello'|max }}{{ {'b':1}|sort }}
{{ [[2,'x'],[1,'y']]|sort }}{{ [(1,'b'),(1,'a')]|sort }}
{{ [1,2]|join(', ') ~ '.' }}{{ ['a',1,none,2.0]|join('/') }}{{ []|join('x') }}{{ 'abc'|join(',') }}
{% set c = cycler('odd', 'even') %}{% for x in [1,2,3] %}{{ c.next() }}{{ c.current }} {% endfor %}
{% set j = joiner('|') %}{% for x in [] %}{{ j() }}{% endfor %}{% for x in [1,2] %}{{ j() ~ x }}{% endfor %}
strftime_now('%d %b %Y')
strftime_now('%Y-%m-%dT%H:%M:%SZ')
strftime_now('Today is %A, %B %-d, %Y.')
strftime_now('%I:%M %p|%l|%-I|%_I|%3d|%010Y|%^b|%#p|%-y')
strftime_now('')
strftime_now('%%%d%%')
strftime_now('é %d ü')
{{ '<\/think>' }}{{ 'a\vb\ac' }}{{ '\U0001F600\U00000041' }}
{% generation %}{{ 1 }}{% endgeneration %}{% generation -%} x {%- endgeneration %}
{%- for m in messages -%}{%- generation -%}{{ m.content }}{%- endgeneration -%}{%- endfor -%}
{% set ns = namespace(x=0) %}{% for i in range(3) %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}
{% for i in range(5) %}{% if i % 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}
{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('|') }}
{{ messages | map(attribute='role') | unique | list | tojson }}
{{ [messages[0]] + messages[1:] == messages }}
{{ (messages | tojson | length) > 10 }}
{{ messages | tojson(indent=4) }}
{{ {'a': {'b': [1, {'c': none}]}} | tojson(indent=2, sort_keys=true) }}
{{ {'b': 1, 'a': 'é'} | tojson(ensure_ascii=true, separators=[',', ':']) }}
{{ 'abc'[1:][::-1] }}{{ 'abc'[-2:] }}{{ 'abc'[:10] }}{{ 'abc'[5:] }}
{{ {}.get('x') is none }}{{ {}.x is defined }}{{ {'a': none}.a is none }}{{ messages[0].get('content', '') }}
{{ 'x' in messages[0].content }}{{ 'role' in messages[0] }}{{ messages[0] in messages }}
{{ 1.0 is number }}{{ 'abc'|first|upper }}{{ [[1,2],[3,4]]|map('sum')|list }}{{ [[1,2],[3]]|map('join','-')|list }}
{{ ['a','b']|map('center', 3)|list }}{{ ['a b','c']|map('wordcount')|sum }}{{ [1.0,2]|map('string')|list }}{{ ['x']|map('indent', 2, true)|list }}
{{ 'abc'.isidentifier() }}{{ 'a b'.isidentifier() }}{{ '٣'.isdigit() }}{{ '٣'.isdecimal() }}{{ 'é'.isprintable() }}
{{ [1,2,3].index(3) }}{{ [1,[2]].copy() }}{{ {'a':[1]}.copy() }}
{{ '{a}-{b}'.format_map({'a': 1, 'b': 'x'}) }}{{ '{0}{1}{0}'.format('a', 'b') }}{{ '{:>4}{:<4}|'.format(1, 2) }}
{{ 'x'|int(-1) }}{{ ''|int }}{{ '12abc'|int }}{{ '0b11'|int(0, 2) }}{{ '0xFF'|int(0, 16) }}{{ 'zz'|int(0, 36) }}{{ []|int }}{{ {}|float }}{{ '1e400'|float }}{{ 'nan'|float }}{{ true|float }}
{{ 'aXa'|replace(old='a', new='b') }}{{ 'aaa'|replace('a', 'b', -1) }}{{ 'ab'|replace('', '-') }}{{ 5|replace(5, 6) }}
{{ 1024|filesizeformat }}{{ 1|filesizeformat }}{{ 1500000|filesizeformat(true) }}
{{ '<b>x</b>  y <!-- c -->z &amp; a'|striptags }}
"""

# Line breaks, and the blanks around tags.
TEXTS = [
    "a\n{% if true %}\n  b\n{% endif %}\nc\n",
    "a\n  {%- if true -%}\n  b\n  {%- endif -%}\nc\n\n",
    "  {{ 1 }}\n  {% set x = 1 %}  \n x",
    "  {%+ if true %}\n x{% endif +%}\n y",
    "{# c #}\n  {# d #}\nx\n",
    "a\r\n{% if true %}\r\nb\r{% endif %}c\r\n",
    "{{ 'a\r\nb' }}",
    "{%- raw -%}\n {{ x }} \n{%- endraw -%}\nz",
    "x\n\n",
    "{{- 1 -}}\n {{- 2 -}} \n3",
]


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def main():
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["strftime_now"] = NOW.strftime
    lines = [line for line in LINES.split("\n") if line]
    templates = [line if re.search("[{][{%#]", line) and line[0] != "'" else "{{ " + line + " }}" for line in lines]
    cases = []
    for template in templates + TEXTS:
        expected = environment.from_string(template).render(
            messages=MESSAGES, tools=None, documents=None, add_generation_prompt=True, bos_token="<s>", eos_token="</s>"
        )
        cases.append([template, expected])
    about = "written by tests/golden/jinja.py"
    now = int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp())
    print(json.dumps({"about": about, "now": now, "messages": MESSAGES, "cases": cases}, indent=1, ensure_ascii=False))


main()
