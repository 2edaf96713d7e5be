# SPDX-License-Identifier: Apache-2.0
"""Small templates and what jinja2 makes of them, or that it refuses them: writes snippets.json.

Left out is what text/jinja/interpreter.h lists as different on purpose.
"""
import copy
import json
import pathlib

from environment import make_environment

VARIABLES = {
    "n": 5, "f": 2.5, "neg": -7, "zero": 0, "big": 9007199254740993,
    "s": "  aXb  c,d ", "w": "Hello World", "u": "Größe日本😍é", "e": "", "lines": "one\ntwo\n\nfour",
    "l": [3, 1, 2], "m": ["b", "A", "c", "a"], "d": {"k": "v", "z": [1, {"q": "é"}], "a": 0},
    "none": None, "t": True, "nested": [[1, 2], [3], []], "mixed": [1, "a", None, 2.5, True, [1], {"x": 1}],
    "people": [{"name": "Bo", "age": 30, "at": {"city": "Rome"}}, {"name": "al", "age": 25, "at": {"city": "Oslo"}},
               {"name": "Cy", "age": 30, "at": {"city": "rome"}}, {"name": "Di", "age": 41, "at": {}}],
    "tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": [{"v": 4, "c": []}]}]}, {"v": 5, "c": []}],
}

ATOMS = ["n", "f", "neg", "0", "'ab'", "[1, 2]", "(1, 2)", "{'a': 1}", "none", "true", "missing", "w"]
BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]

PERCENT = [
    "'%s'|s", "'%5s|%-5s|'|('a','b')", "'%.2s'|'abc'", "'%r %s'|('a', 'b')", "'%d'|3.7", "'%d'|'x'", "'%i %u'|(1,2)", "'%5d|%-5d|%05d|'|(1,2,3)",
    "'%+d % d'|(1,2)", "'%+d'|-3", "'%x %X %o'|(255,255,8)", "'%#x %#o'|(255,8)", "'%x'|2.5", "'%.2f'|2.675", "'%10.3f|'|f", "'%-10.1f|'|f", "'%010.2f'|neg",
    "'%e'|12345.678", "'%.2E'|0.00012", "'%g %g %g'|(1e10, 0.0001, 100000)", "'%G'|1e-10", "'%#.3g'|1", "'%c%c'|('a', 98)", "'%%'|()", "'%d%%'|5", "'%s %s'|(1,)",
    "'%s'|(1,2)", "'%(a)s-%(b)d'|{'a': 1, 'b': 2}", "'%(a)s'|{'b': 1}", "'x'|{}", "'x'|5", "'x'|[]", "'%s'|[1,2]", "'%s'|none", "'%s'|{'a':1}", "'%*d'|(5, 3)",
    "'%-*d|'|(5, 3)", "'%.*f'|(2, 3.14159)", "'%'|1", "'%z'|1", "'%a'|u", "'%5.1f|'|n", "'%s'|true", "'%d'|true", "'%.3d'|5", "'%+.3d'|5", "'%08.3d|'|5", "'%f'|'a'", "'%s %%'|1",
    "'%5s'|u[:2]", "'%(a)5.1f|'|{'a': 2}", "'%(a'|{'a': 2}", "'%c'|'ab'", "'%s'|missing",
]
BRACES = [
    "'{}'|1", "'{} {}'|1, 2", "'{0}{1}{0}'|'a', 'b'", "'{a} {b}'|a=1, b='x'", "'{} {0}'|1", "'{}'|", "'{{}}'|1", "'{0.name}'|l", "'{0[0]} {0[1]}'|l", "'{0[k]}'|d", "'{!r}'|'a'",
    "'{!s:>5}|'|'a'", "'{:>5}|{:<5}|{:^5}|{:*^6}|'|'a', 'b', 'c', 'd'", "'{:5}|{:5}|'|1, 'a'", "'{:05d}'|42", "'{:+d} {: d} {:-d}'|1, 2, 3", "'{:x} {:X} {:#x} {:o} {:b} {:#b} {:c}'|255, 255, 255, 8, 5, 5, 65",
    "'{:,} {:_}'|1234567, 1234567", "'{:.2f} {:.0f} {:10.3f}|{:<10.1f}|'|2.675, 2.5, 3.14159, 1.0", "'{:e} {:.2E}'|12345.678, 0.0012", "'{:g} {:G}'|1e10, 1e-10", "'{:%} {:.1%}'|0.5, 0.123",
    "'{:,.2f}'|1234567.891", "'{:.3}'|'abcdef'", "'{:.3}'|3.14159", "'{:{}}|'|'a', 5", "'{:{w}.{p}f}'|2.5, w=8, p=2", "'{:d}'|'a'", "'{:d}'|2.5", "'{:s}'|'a'", "'{:s}'|1", "'{:=+6d}'|5",
    "'{'|1", "'}'|1", "'{0'|1", "'{:>5}'|none", "'{}'|none", "'{}{}'|true, [1, 'a']", "'{:5}|'|true", "'{:d}'|true", "'{:é>4}'|'a'", "'{!x}'|1", "'{[x]}'|{'x': 3}", "'{.x}'|1", "'{:08.2f}'|neg", "'{:#o}'|8", "'{:x}'|-255",
    "'{:n}'|5", "'{a.k}'|a=d", "'{:.2%}'|1", "'{:05}'|'ab'", "'{:<05}|'|7", "'{:^+7.1f}|'|2.25",
]
FORMATS = ["%Y-%m-%d", "%d %b %Y", "%A %a %B %b", "%H:%M:%S", "%I:%M %p", "%j %U %W %w %u %V %G %g", "%-d/%-m/%y", "%e|%k|%l", "%f", "%%", "%F %T %R %D", "%c", "%x %X", "%n%t", "%C %h", "%z%Z|", "%^a %^B", "%_d %_H", "é %Y", "plain", "", "%r", "%-I %P"]

FILTERS = ["abs", "capitalize", "center(11)", "count", "d('x')", "default('x', true)", "e", "first", "float", "float(1.5)", "forceescape", "int", "int(9)", "items|list", "join", "join('-')", "last", "length", "list", "lower",
           "max", "min", "replace('l', 'L')", "reverse|list", "round", "round(1)", "sort", "sort(reverse=true)", "sort(case_sensitive=true)", "string", "striptags", "sum", "title", "tojson", "trim", "truncate(5)", "unique|list", "upper",
           "urlencode", "wordcount", "dictsort", "batch(2)|list", "slice(2)|list", "map('string')|list", "select|list", "reject('none')|list", "tojson(indent=2)", "indent"]
INPUTS = ["n", "f", "neg", "s", "w", "u", "e", "l", "m", "d", "none", "t", "nested", "missing", "lines", "[2.5, 1]", "mixed"]
TESTS = ["boolean", "callable", "defined", "divisibleby 5", "divisibleby(2)", "eq 5", "even", "odd", "false", "true", "float", "ge 5", "gt 3", "in [5, 'Hello World', none]", "integer", "iterable", "le 4", "lower", "lt 9", "mapping", "ne 5", "none",
         "number", "sameas none", "sequence", "string", "undefined", "upper", "equalto 5", "filter", "test"]
METHODS = ["'Hello World'.%s" % call for call in [
    "strip('Hd')", "lstrip('He')", "rstrip('dl')", "upper()", "lower()", "title()", "capitalize()", "swapcase()", "casefold()", "startswith('He')", "startswith(('x', 'H'))", "endswith('ld')", "startswith('W', 6)", "split()", "split('o')",
    "split('o', 1)", "split(maxsplit=1)", "split(sep='l')", "split('')", "rsplit('o', 1)", "rsplit()", "splitlines()", "replace('l', 'L')", "replace('l', 'L', 2)", "replace('', '-')", "replace('l', '')", "replace('l')", "find('o')", "find('o', 5)", "find('z')",
    "find('o', 0, 3)", "find('o', -4)", "rfind('o')", "index('W')", "index('z')", "rindex('l')", "count('l')", "count('')", "count('l', 4)", "isdigit()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()", "istitle()", "partition(' ')", "rpartition('o')", "partition('z')",
    "removeprefix('Hello ')", "removesuffix('x')", "ljust(13)", "rjust(13, '*')", "center(14, '-')", "center(15, '-')", "zfill(15)", "join(['a', 'b'])", "join('xy')", "join([1])", "nope()", "nope", "format()", "upper(1)", "strip(1)", "split(1)"]]
METHODS += ["'%s'.zfill(6)" % x for x in ["42", "-42", "+7", "", "1234567"]] + ["'ab'.center(%d, '*')" % x for x in range(1, 8)] + ["'abc'.center(%d, '*')" % x for x in range(2, 9)]
METHODS += ["l.index(1)", "l.index(9)", "l.count(3)", "l.append(1)", "(1, 2).index(2)", "(1, 1).count(1)", "d.get('k')", "d.get('x')", "d.get('x', 7)", "d.keys()|list", "d.values()|list", "d.items()|list", "d.copy()", "l.copy()", "d.update({})", "d.pop('k')", "d.nope", "d['items'] is callable",
            "d.items is callable", "{'items': 1}.items is callable", "{'items': 1}['items']", "2.0.is_integer()", "(2.5).is_integer()", "l.sort()", "'a\\nb\\rc\\r\\nd\\x0be\\u2028f'.splitlines()", "'a\\nb\\n'.splitlines(true)", "''.splitlines()", "''.split()", "''.split(',')", "' a  b '.split(' ')",
            "'a,b,c'.split(',', -1)", "'a,b,c'.rsplit(',', 0)", "'aaa'.replace('aa', 'b')", "'äöü'.upper()", "'ÄÖÜ'.lower()", "u[2:5]", "u[::-1]", "u|length", "u.find('日')", "'x'.join(m)", "'a b\\tc\\nd'.split(none, 2)", "' x y '.rsplit(none, 1)", "d.get([1])"]
SLICES = ["l[%s]" % x for x in ["0", "-1", "3", "-4", "0:2", ":-1", "::-1", "::2", "-2:", "5:", "2:0:-1", "::0", "1:1", "-1:-3:-1", "none:2", "'a'", "1.0", "true", ":100", "-100:2", "::-2", "2::-1", "1:none"]]
SLICES += ["w[%s]" % x for x in ["0", "-1", "20", "::-1", "::3", "6:", ":-6", "8:2:-2", "::-4", "-3:-1"]] + ["(1, 2, 3)[1:]", "d['k']", "d['x']", "d[0]", "d[1:2]", "n[0]", "none[0]", "missing[0]", "missing.x", "missing.x.y", "d.x.y", "l.0", "nested.0.1", "people[0].at.city", "people[0]['at']['x']", "w[1:][1:][0]", "n.x", "none.x", "f[1:]"]
NUMBERS = ["1_000", "0x1F", "0b101", "0o17", "1e3", "1.5E-3", "007", "1.", "0_0", "1__0", "1.0 + 2", "7 // 2", "-7 // 2", "7 // -2", "7 % -3", "-7 % 3", "7.5 // 2", "-7.5 % 2", "2 ** 10", "2 ** -1", "2 ** 0.5", "0.1 + 0.2", "1e16", "1e15", "1e-5", "0.0001", "123456789012345678", "1/3", "10/2", "1e100", "100000.0 * 10",
           "5.0", "-0.0", "1e22", "3 * 1.5", "-2 ** 2", "2 ** 3 ** 2", "- - 3", "+3", "not 0", "1 < 2 < 3", "1 < 3 < 2", "3 > 2 >= 2 != 1", "1 == 1.0", "true == 1", "true + true", "big", "big + 0", "1 if true", "1 if false", "1 if false else 2 if false else 3", "(1 if true else 2) + 1", "n ~ f", "n ~ none ~ true", "1 + 2 ~ 3",
           "1 ~ 2 + 3", "2 * 3 ~ 4", "1 - 1 ~ 1", "'a' 'b' ~ 'c'", "5 is odd and 4 is even", "not 5 is odd", "n is not none", "5 in l or 3 in l", "3 not in l", "not 3 in l", "l is defined and l|length > 2", "n|float|string", "-n|abs", "(-n)|abs", "n.5", "'5'|int + 1", "'0x1F'|int(0, 16)", "'1f'|int(0, 16)", "'101'|int(base=2)", "'1_0'|int",
           "'12.7'|int", "' 8 '|int", "'+3'|int", "'--3'|int(7)", "'1e2'|int", "'inf'|float", "'nan'|float", "'1e400'|float", "'.5'|float", "'5.'|float", "'1_0.5'|float", "'x'|float(3.5)", "none|int", "[]|int(4)", "2.675|round(2)", "2.5|round", "3.5|round", "-2.5|round", "5|round", "5|round(1)", "1234|round(-2)", "1250.0|round(-2)",
           "2.1|round(0, 'ceil')", "2.19|round(1, 'floor')", "5|round(0, 'floor')", "2.5|round(method='x')", "1e300|round(2)", "1.005|round(2)", "[1, 2.5, true]|sum", "[]|sum", "[[1], [2]]|sum(start=[])", "people|sum('age')", "people|sum(attribute='age', start=10)", "['a']|sum"]
SEQUENCES = ["people|map(attribute='name')|list", "people|map(attribute='at.city')|list", "people|map(attribute='at.city', default='?')|list", "people|map(attribute='name')|map('lower')|join(', ')", "people|selectattr('age', 'gt', 26)|map(attribute='name')|list",
             "people|selectattr('at.city')|map(attribute='name')|list", "people|rejectattr('at.city')|map(attribute='name')|list", "people|rejectattr('age', 'equalto', 30)|map(attribute='name')|list", "people|selectattr('x', 'defined')|list", "people|selectattr('name', 'in', ['Bo', 'Di'])|map(attribute='age')|list",
             "people|sort(attribute='name')|map(attribute='name')|list", "people|sort(attribute='age')|map(attribute='name')|list", "people|sort(attribute='age,name')|map(attribute='name')|list", "people|sort(attribute='age', reverse=true)|map(attribute='name')|list", "people|sort(attribute='at.city')|list",
             "people|max(attribute='age')", "people|min(attribute='name')", "people|groupby('age')|list", "people|groupby('age')|map('first')|list", "people|groupby('at.city', default='-')|map(attribute='grouper')|list", "people|groupby('name')|map(attribute='list')|map('length')|list", "people|unique(attribute='age')|map(attribute='name')|list",
             "people|groupby('at.city', default='?', case_sensitive=true)|map('first')|list", "m|sort", "m|sort(true)", "m|sort(case_sensitive=true)", "m|unique|list", "m|unique(true)|list", "m|max", "m|min(true)", "mixed|sort", "[3, 1.5, true]|sort", "[[2, 1], [1, 9]]|sort", "d|dictsort", "d|dictsort(by='value')", "{'b': 1, 'A': 3, 'c': 2}|dictsort", "{'b': 1, 'A': 3, 'c': 2}|dictsort(true)",
             "{'b': 1, 'A': 3, 'c': 2}|dictsort(by='value', reverse=true)", "{'b': 1}|dictsort(by='x')", "l|batch(2)|list", "l|batch(2, 0)|list", "range(7)|slice(3)|list", "range(7)|slice(3, 'x')|list", "range(7)|slice(0)|list", "range(3)|list", "range(1, 8, 3)|list", "range(5, 0, -2)|list", "range(0)|list", "range(1, 2, 0)", "range(2.5)", "range('a')", "range()",
             "range(100000)|length", "range(100001)", "l|map('add', 1)|list", "l|map('round', 1)|list", "m|map('replace', 'a', 'x')|list", "m|map('default', 'q')|list", "mixed|select('string')|list", "mixed|reject('mapping')|list|length", "mixed|select('number')|list", "l|select('gt', 1)|list", "l|select('divisibleby', 2)|list", "nested|map('sum')|list", "nested|map('length')|list", "nested|sum(start=[])", "nested|map('join', '+')|list",
             "nested|map('first')|list", "m|join(',')", "mixed|join('|')", "people|join(', ', attribute='name')", "d|join", "w|join('.')", "n|join", "l|first", "[]|first is defined", "[]|last", "d|list", "d|items|list", "missing|items|list", "w|list|length", "w|reverse", "l|reverse|list", "d|length", "n|length", "none|length", "l|last|string", "w|batch(4)|map('join')|list", "(1, 2) + (3,)", "[1] + (2,)", "[0] * 3", "'ab' * 2", "3 * 'ab'", "'a' * -1", "[1] * 'a'",
             "{'a': 1, 'a': 2}", "{1: 'x', '1': 'y'}", "{none: 1, true: 2}", "{[1]: 2}", "{'a': {'b': [1, (2,), ()]}}", "dict(a=1, b=2)", "dict({'a': 1}, b=2)", "dict([('a', 1), ('b', 2)])", "dict(1)", "namespace(a=1).a", "namespace({'a': 2}).a", "namespace(a=1).b is defined", "l == [3, 1, 2]", "l != [3, 1]", "[1, 2] < [1, 3]", "(1, 2) == [1, 2]", "d == {'a': 0, 'z': [1, {'q': 'é'}], 'k': 'v'}", "'a' in d", "0 in d", "'X' in s", "1 in s", "none in mixed", "[1] in mixed", "{'x': 1} in mixed", "1 in n", "'a' in missing", "1 in none",
             "d|attr('items') is callable", "d|attr('k') is defined", "w|attr('upper') is callable", "'%s-%s'|format(1, 2)", "'%(a)s'|format(a=1)", "'%s'|format(1, a=2)", "w|replace('o', '0', 1)", "n|replace(5, 6)", "w|replace('o')", "w|trim('Hd')", "n|trim", "w|upper|lower|title", "'ab-cd (ef) [gh] x_y'|title", "'éA'|capitalize", "\"it's a dog's life\"|title", "'it\\'s 1st x'.title()", "w|truncate(8)", "w|truncate(5, true)", "w|truncate(5, true, '', 0)", "w|truncate(5, leeway=0)", "w|truncate(2)", "lines|indent", "lines|indent(2, true)", "lines|indent(2, blank=true)", "lines|indent('> ')", "lines|indent(width=1, first=true, blank=true)", "n|indent",
             "'<b>a &amp; b</b>  <!-- c --> d &lt;'|striptags", "'<a href=\"x\">'|e", "'a b/c?d=é&x'|urlencode", "{'a b': 1, 'c': '/'}|urlencode", "[('a', 1)]|urlencode", "'a b'|center(9)", "w|wordcount", "\"don't stop\"|wordcount", "w|count", "w|nope", "w is nope", "nope(1)", "w|trim(1)", "l|join(1)", "t|string", "none|string", "l|string", "d|string", "missing|string", "missing|length", "missing|list", "missing|upper", "missing|default", "missing|d(1)|d(2)", "e|default('x')", "e|default('x', true)", "none|default('x')", "false|default('x', boolean=true)"]
JSON = ["d|tojson", "mixed|tojson", "u|tojson", "u|tojson(ensure_ascii=true)", "u|tojson(true)", "d|tojson(indent=2)", "d|tojson(indent=0)", "d|tojson(indent='\\t')", "{}|tojson(indent=2)", "[]|tojson(indent=2)", "[[]]|tojson(indent=1)", "d|tojson(separators=(',', ':'))", "d|tojson(separators=(', ', ': '), indent=1)", "d|tojson(sort_keys=true)", "{'b': 1, 'a': {'d': 1, 'c': 2}}|tojson(sort_keys=true, indent=1)",
        "{1: 2, none: 3, true: 4, 2.5: 5}|tojson", "missing|tojson", "[missing]|tojson", "(1, 2)|tojson", "'\\x00\\x1f\\x7f\\u2028\"/\\\\'|tojson", "'\\x7f😍'|tojson(ensure_ascii=true)", "1e20|tojson", "1.0|tojson", "'inf'|float|tojson", "'<&>'|tojson", "namespace(a=1)|tojson", "none|tojson", "true|tojson", "d|tojson|length", "d|tojson(2)", "d|tojson(none, 2)", "d|tojson(nope=1)", "range|tojson"]
LITERALS = ["'a\\nb'", "'\\t\\\\\\'\\\"'", "'\\x41\\u00e9\\U0001f60d'", "'\\101\\0'", "'\\q'", "'\\x4'", "'\\u12'", "\"it's\"", "['a\\'b', \"q\\\"\", 'a\\'\"']", "['\\n', '\\t', '\\x00', '\\x7f', '\\xa0', 'é', '\\u2028', '😍', '\\\\']", "[1, 'a', none, true, 1.5, missing]", "()", "(1,)", "1,", "1, 2", "[1, 2,]", "{'a': 1,}", "[[], {}, ()]", "{'a': none}", "\"\"", "'multi\nline'", "[w, u]", "true, false, none, True, False, None",
            "(1", "1)", "[1", "{1}", "{'a'}", "'abc", "1 +", "+", "", "a b", "1 2", "n.", "n|", "n is", "l[", "f(", "'a'.", "n if", "x = 1", "n and", "not", "n ! 1", "n = 1", "a $ b", "@", "loop", "varargs is defined", "n not 5", "n|upper|", "lambda", "{'a': 1}['a']", "{'a': {}}", "[1, 2][0]", "(n)", "((n))", "w.upper().lower()", "w.upper()[0]", "'a'|upper ~ 'b'|upper", "n is number is number", "true.x", "n.__class__", "w.__len__", "l|map('upper').x"]

STATEMENTS = [
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }} {% endfor %}",
    "{% for x in l %}{% for y in l %}{{ loop.depth }}{{ loop.depth0 }}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for x in [1,1,2,2,1] %}{{ loop.changed(x) }} {% endfor %}", "{% for x in [1,2] %}{{ loop.changed() }} {% endfor %}", "{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in l %}{{ loop.cycle() }}{% endfor %}",
    "{% for x in tree recursive %}{{ x.v }}{% if x.c %}({{ loop(x.c) }}){% endif %}{% endfor %}", "{% for x in tree recursive %}{{ loop.depth }}{{ x.v }}{{ loop(x.c) }}{% endfor %}", "{% for x in l %}{{ loop([1]) }}{% endfor %}", "{% for x in tree recursive %}[{{ x.v }}{{ loop(x.c) if x.c }}{{ loop.index }}]{% else %}none{% endfor %}",
    "{% for x in tree if x.v > 1 recursive %}{{ x.v }}{{ loop(x.c) }}{% endfor %}", "{% for x in [] recursive %}{% else %}E{% endfor %}",
    "{% for x in l if x > 1 %}{{ x }}{{ loop.length }}{% else %}none{% endfor %}", "{% for x in l if x > 9 %}{{ x }}{% else %}none{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d|dictsort %}{{ k }}{% endfor %}", "{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }} {% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for a, b in [1] %}{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}", "{% for a, in [(1,)] %}{{ a }}{% endfor %}", "{% for x in 5 %}{% endfor %}", "{% for x in none %}{% endfor %}", "{% for x in missing %}{% else %}E{% endfor %}", "{% for x in 'ab' %}{{ x }}.{% endfor %}", "{% for x in d %}{{ x }}{% endfor %}", "{% for x in 1, 2 %}{{ x }}{% endfor %}", "{% for x in l %}{% else %}{% endfor %}{{ x }}",
    "{% for x in l %}{% if loop.index == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in l %}{% if loop.index == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% break %}", "{% if t %}{% continue %}{% endif %}", "{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endfor %}{{ x }}{% endfor %}", "{% for x in l %}{{ x }}{% break %}{% else %}E{% endfor %}", "{% for x in l %}{% set y %}a{% break %}{% endset %}{{ y }}{% endfor %}|", "{% for x in l %}{% filter upper %}a{{ x }}{% continue %}{% endfilter %}{% endfor %}|", "{% for x in l %}{% macro q() %}{% break %}{% endmacro %}{% endfor %}", "{% for x in l %}{% with y = x %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endwith %}{% endfor %}",
    "{% set x = 1 %}{{ x }}", "{% set x, y = 1, 2 %}{{ x }}{{ y }}", "{% set (x, y) = l[:2] %}{{ x }}{{ y }}", "{% set x, (y, z) = 1, (2, 3) %}{{ z }}", "{% set x, y = 1 %}", "{% set x = 1, 2 %}{{ x }}", "{% set x, = [4] %}{{ x }}", "{% set ns = namespace() %}{% set ns.a = 1 %}{% set ns.b = ns.a + 1 %}{{ ns.a }}{{ ns.b }}{{ ns.c }}", "{% set ns = namespace(a=1) %}{% for x in l %}{% set ns.a = ns.a + x %}{% endfor %}{{ ns.a }}", "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}", "{% set ns = namespace() %}{% set ns.a, b = 1, 2 %}{{ ns.a }}{{ b }}", "{% set d.k = 1 %}", "{% set missing.k = 1 %}", "{% set n.k = 1 %}", "{% set ns = namespace() %}{% set ns.a %}x{{ n }}{% endset %}{{ ns.a }}", "{% set ns = namespace(a=1) %}{{ ns['a'] }}{{ ns['b'] is defined }}",
    "{% set x %}a{{ n }}{% endset %}[{{ x }}]", "{% set x | upper | trim %} ab {% endset %}[{{ x }}]", "{% set x | replace('a', 'b') %}aa{% endset %}{{ x }}", "{% set x %}{% set y = 1 %}{% endset %}{{ y is defined }}", "{% set true = 1 %}", "{% set x.y.z = 1 %}", "{% set 1 = 2 %}", "{% set x %}", "{% set x = %}", "{% set %}",
    "{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}", "{% for i in l %}{{ y is defined }}{% set y = i %}{% endfor %}", "{% if t %}{% set x = 1 %}{% else %}{% set x = 2 %}{% endif %}{{ x }}", "{% if e %}{% set x = 1 %}{% endif %}{{ x }}", "{% for i in l %}{% if i == 1 %}{% set z = 'one' %}{% endif %}{{ z }}{% endfor %}", "{% set n = n + 1 %}{{ n }}", "{% for n in l %}{{ n }}{% endfor %}{{ n }}", "{% set loop = 3 %}{{ loop }}", "{% for n in l %}{% set n = 9 %}{{ n }}{% endfor %}", "{% with %}{% set n = 9 %}{{ n }}{% endwith %}{{ n }}",
    "{% if n > 3 %}a{% elif n > 2 %}b{% else %}c{% endif %}", "{% if n > 9 %}a{% elif n > 2 %}b{% else %}c{% endif %}", "{% if e %}a{% elif zero %}b{% elif none %}c{% endif %}", "{% if missing %}a{% else %}b{% endif %}", "{% if missing.x %}a{% endif %}", "{% if l and d %}x{% endif %}", "{% if not l %}x{% else %}y{% endif %}", "{% if %}{% endif %}", "{% if t %}", "{% else %}", "{% endif %}", "{% endfor %}", "{% if t %}{% endfor %}", "{% for x in l %}{% endif %}", "{% elif t %}", "{% if t %}{% else %}{% else %}{% endif %}", "{% if 1, 2 %}x{% endif %}", "{% if (0, 0) %}x{% endif %}",
    "{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=4, a=5) }}", "{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m() }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=1) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=1) }}", "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, a=3) }}", "{% macro m(a) %}{{ varargs }}{% endmacro %}{{ m(1, 2, 3) }}", "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(3) }}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m() %}{{ n }}{% endmacro %}{{ m() }}", "{% macro m() %}{{ q }}{% endmacro %}{% set q = 7 %}{{ m() }}", "{% set q = 1 %}{% macro m() %}{{ q }}{% endmacro %}{% set q = 2 %}{{ m() }}",
    "{% macro m() %}{% set q = 1 %}{{ q }}{% endmacro %}{{ m() }}{{ q is defined }}", "{% for x in l %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}", "{% macro m(x) %}{% macro i() %}<{{ x }}>{% endmacro %}{{ i() }}{{ i() }}{% endmacro %}{{ m(1) }}{{ m(2) }}", "{% macro m() %} x {% endmacro %}{{ m()|trim }}{{ m() ~ 1 }}{{ m()|length }}", "{% macro m(a, a) %}{{ a }}{% endmacro %}x", "{% macro m(x) %}{{ x }}{% endmacro %}{{ [1, 2]|map('string')|map('upper')|list }}{{ m(*[1]) }}{{ m(**{'x': 2}) }}", "{% macro m(a, b, c) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1, *[2], **{'c': 3}) }}{{ m(*(1, 2, 3)) }}{{ m(c=3, *[1, 2]) }}", "{% macro m(a) %}{% endmacro %}{{ m(**1) }}", "{% macro m(a) %}{% endmacro %}{{ m(*1) }}", "{{ m() }}{% macro m() %}{% endmacro %}",
    "{% macro m() %}({{ caller() }}){% endmacro %}{% call m() %}hi {{ n }}{% endcall %}", "{% macro m(l) %}{% for x in l %}{{ caller(x, loop.index) }}{% endfor %}{% endmacro %}{% call(x, i) m(l) %}{{ i }}:{{ x }} {% endcall %}", "{% macro m() %}{{ caller(1) }}{% endmacro %}{% call(a, b=5) m() %}{{ a }}{{ b }}{% endcall %}", "{% macro m() %}x{% endmacro %}{% call m() %}hi{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}", "{% macro m(caller) %}{{ caller() }}{% endmacro %}{% call m() %}c{% endcall %}", "{% for x in l %}{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ x }}{% endcall %}{% endfor %}", "{% macro o() %}<{{ caller() }}>{% endmacro %}{% macro i() %}[{{ caller() }}]{% endmacro %}{% call o() %}{% call i() %}x{% endcall %}{% endcall %}", "{% call n %}{% endcall %}", "{% call w.upper() %}{% endcall %}", "{% call missing() %}{% endcall %}", "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a) m() %}{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{% set q = 1 %}{{ q }}{% endcall %}{{ q is defined }}",
    "{% filter upper %}a{{ w }}{% endfilter %}", "{% filter upper|replace('L', 'x') %}{{ w }}{% endfilter %}", "{% filter nope %}{% endfilter %}", "{% filter trim %}  {% set q = 1 %}x {% endfilter %}{{ q is defined }}", "{% filter indent(2) %}a\nb{% endfilter %}", "{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "{% with a = 1, b = a %}{{ b }}{% endwith %}", "{% with %}{{ n }}{% endwith %}", "{% with a, b = 1, 2 %}{% endwith %}", "{% generation %}a{{ n }}{% endgeneration %}", "{% generation %}{% set q = 1 %}{% endgeneration %}{{ q is defined }}", "{% for x in l %}{% generation %}{{ x }}{{ loop.index }}{% endgeneration %}{% endfor %}", "{% for x in l %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    "{% raw %}{{ x }}{% if %}{% endraw %}", "{% raw %}\n a {% endraw %}\nb", "a {%- raw -%} {{ x }} {%- endraw -%} b", "{% raw %}x", "{%raw%}{% raw %}{%endraw%}", "{# c #}", "a{# c", "{# {{ x }} #}b", "{#- c -#} a", "a {#- c #} b", "{# a #}\nb", "{{ '{{' }}{{ '}}' }}{{ '{%' }}", "{{ {'a': {'b': 1}}['a']['b'] }}", "{{ {'a':{}}}}", "{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}", "{% from 'x' import y %}", "{% nope %}", "{% %}", "{{ }}", "{{", "{%", "{{ n", "{% if n", "}} %} #}", "{ { n } }", "{{n}}{{-n}}{{+n}}{{ n -}} x", "{{- n }}", " {{- n -}} x", "{{ n }}\n", "{{ n }}\n\n", "\n", "", "a\r\nb\rc\n", "{{ 'a\r\nb' }}",
    "  {% if t %}\n  a\n  {% endif %}\n b", "  {%+ if t %}\n  a\n  {%+ endif %}\n b", "{% if t +%}\n a{% endif %}", "{% if t -%}\n a{%- endif %}\n b", "x {% if t %} a {% endif %} y", "\t{% if t %}\t{% endif %}\t|", "a\n\n  {%- if t %}\n\n b{% endif %}", "a {{- ' ' -}} b", "{% for x in l %}\n  {{ x }}\n{% endfor %}\nend", "{% for x in l -%}\n  {{ x }}\n{%- endfor %}\nend", "  {# c #}\nx", "x  {# c #}  y", "{{ n }}  {% if t %}x{% endif %}", "{% set x = 1 %}  \ny", "{% set x = 1 -%}  \ny", "a\n{% set x = 1 %}\n{% set y = 2 %}\nb", "a\u00a0\u2003{%- if t %}b{% endif %}", "{% if t %}\n\na{% endif %}", "{%- if t -%}{%- endif -%}", "a{%if t%}b{%endif%}", "{%   if   t   %}x{%endif  %}", "{%if\nt\n%}x{% endif %}", "{{\nn\n}}", "-{{ n }}-", "{% if t %}{% raw %} x {% endraw %}{% endif %}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set x = c.reset() %}{{ c.current }}", "{{ cycler() }}", "{% set j = joiner('|') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}", "{% set j = joiner() %}{{ j() }}a{{ j() }}b", "{{ raise_exception('no') }}", "{{ raise_exception(n) }}", "{% if e %}{{ raise_exception('no') }}{% endif %}ok", "{{ strftime_now() }}", "{{ range is callable }}{{ strftime_now is defined }}{{ raise_exception is defined }}",
    "{% for m in people %}{{ m.name }}{{ ', ' if not loop.last else '.' }}{% endfor %}", "{% for g in people|groupby('age') %}{{ g.grouper }}:{% for p in g.list %}{{ p.name }} {% endfor %}{% endfor %}", "{% for g, items in people|groupby('age') %}{{ g }}{{ items|length }}{% endfor %}", "{% for row in l|batch(2, '-') %}{{ row }}{% endfor %}", "{% set x = people|map(attribute='age')|list %}{{ x[0] + x[-1] }}", "{% set x = [] %}{% set x = x + [1] %}{% set x = x + [2] %}{{ x }}", "{% set x = {'a': 1} %}{% set x = dict(x, b=2) %}{{ x }}",
    "{% for x in l %}{% set outer = loop %}{% for y in 'ab' %}{{ outer.index }}{{ y }}{{ loop.index }} {% endfor %}{% endfor %}", "{{ n }}{% if n == 5 %}{{ 'five' }}{% endif %}{{ 'x' if n != 5 }}", "{% for x in range(3) %}{% for y in range(x) %}{{ x }}{{ y }} {% endfor %}{% endfor %}", "{% for i in range(10) %}{% if i % 2 %}{% continue %}{% endif %}{% if i > 6 %}{% break %}{% endif %}{{ i }}{% endfor %}",
]
DO = ["{% do l.count(1) %}x", "{% do 1 + 1 %}", "{% do raise_exception('no') %}", "{% do %}", "{% set ns = namespace(a=1) %}{% do ns.a %}{{ ns.a }}"]


def sources():
    for left in ATOMS:
        for operation in BINARY:
            for right in ATOMS:
                yield "{{ %s %s %s }}" % (left, operation, right)
    for pair in PERCENT:
        cut = pair.rindex("'|")
        yield "{{ %s %% %s }}" % (pair[:cut + 1], pair[cut + 2:])
    for pair in BRACES:
        cut = pair.rindex("'|")
        yield "{{ %s.format(%s) }}" % (pair[:cut + 1], pair[cut + 2:])
    for form in FORMATS:
        yield "{{ strftime_now('%s') }}" % form
    for name in INPUTS:
        for call in FILTERS:
            yield "{{ %s|%s }}" % (name, call)
        for test in TESTS:
            yield "{{ %s is %s, %s is not %s }}" % (name, test, name, test)
    for expression in METHODS + SLICES + NUMBERS + SEQUENCES + JSON + LITERALS:
        yield "{{ %s }}" % expression
    yield from STATEMENTS


def rendered(environment, source):
    try:
        return {"t": source, "o": environment.from_string(source).render(**copy.deepcopy(VARIABLES))}
    except Exception:  # whatever a template raises
        return {"t": source, "o": None}


def main():
    plain, with_do = make_environment(), make_environment("jinja2.ext.do")
    cases = [rendered(plain, source) for source in sources()]
    cases += [rendered(with_do, source) for source in DO]
    cases = [c for c in cases if c["o"] is None or c["t"] != "{{ neg ** f }}"]  # a complex number
    document = {"variables": VARIABLES, "cases": cases}
    lines = [json.dumps(c, ensure_ascii=False) for c in cases]
    text = '{"variables": %s,\n"cases": [\n%s\n]}\n' % (
        json.dumps(document["variables"], ensure_ascii=False), ",\n".join(lines))
    (pathlib.Path(__file__).parent / "snippets.json").write_text(text)


if __name__ == "__main__":
    main()
