// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "text/chat_template.h"
#include "text/jinja/parser.h"
#include "text/testing/vocabularies.h"

// Templates that would take all time, memory or stack: each ends with an error, within its budget.
namespace tenon::text::jinja {
namespace {

std::string Repeated(std::string_view text, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += text;
  return repeated;
}

std::string Number(int i) { return std::to_string(i); }

// Nested fors around a body; what they walk over has i items.
std::string Fors(int depth, int i, const std::string& body) {
  return Repeated("{% for x in range(" + Number(i) + ") %}", depth) + body +
         Repeated("{% endfor %}", depth);
}

using Family = std::function<std::string(int)>;

std::vector<Family> GrowingValues() {
  return {
      [](int i) {
        return "{% set n = namespace(s='" + std::string(static_cast<size_t>(i), 'a') +
               "') %}{% for x in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}";
      },
      [](int i) {
        return "{% set n = namespace(l=[" + Number(i) +
               "]) %}{% for x in range(99) %}{% set n.l = n.l + n.l %}{% endfor %}";
      },
      [](int i) {
        return "{% set n = namespace(l=[0]) %}{% for x in range(" + Number(100 + i) +
               ") %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l }}";
      },
      [](int i) {
        return "{% set n = namespace(l='x') %}{% for x in range(" + Number(20 + i) +
               ") %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l" + (i % 2 ? "|tojson" : "") +
               " }}";
      },
      [](int i) { return "{{ 'a' * " + Number(i) + " * 10 ** 9 }}"; },
      [](int i) { return "{{ [" + Number(i) + "] * 10 ** 7 }}"; },
      [](int i) {
        return "{% set a = 'a' * 1000000 %}{{ a.replace('a', 'b' * " + Number(1000 + i) + ") }}";
      },
      [](int i) {
        return "{% set a = 'ab' * 100000 %}{{ a|list|join('x' * " + Number(1000 + i) + ") }}";
      },
      [](int i) { return "{{ '%" + Number(i + 9) + "000000s'|format('a') }}"; },
      [](int i) { return "{{ '{:>" + Number(i + 9) + "000000}'.format('a') }}"; },
      [](int i) { return "{{ '%.*f' % (" + Number(1001 + i) + ", 1.5) }}"; },
      [](int i) { return "{{ 'a'.center(" + Number(i + 9) + "000000) }}"; },
      [](int i) { return "{{ ('a\\n' * 99999)|indent(" + Number(200 + i) + ") }}"; },
      [](int i) {
        return "{{ [[[1] * 50000] * 9] * 9" + Repeated("|map('list')|list", i % 20 + 9) +
               "|tojson(indent=1000) }}";
      },
      [](int i) { return "{{ [1]|batch(" + Number(i + 1) + "0000000, 0) }}"; },
      [](int i) { return "{{ [1]|slice(" + Number(i + 1) + "0000000) }}"; },
      [](int i) {
        return "{% set n = namespace() %}{% for x in range(99999) %}{% set n.k = dict(n.k or {}, "
               "**{'k' ~ x: " +
               Number(i) + "}) %}{% endfor %}";
      },
      [](int i) {
        return "{% set n = namespace(k=[]) %}{% for x in range(99999) %}{% set n.k = n.k + ['" +
               std::string(static_cast<size_t>(i), 'q') + "' ~ x] %}{% endfor %}";
      },
  };
}

std::vector<Family> LongWork() {
  return {
      [](int i) { return Fors(i % 40 + 5, 99, "x"); },
      [](int i) { return Fors(3, 300 + i, "{{ x }}"); },
      [](int i) { return "{{ range(" + Number(100001 + i) + ") }}"; },
      [](int i) { return "{% for x in range(" + Number(i + 2) + " ** 40) %}{% endfor %}"; },
      [](int i) { return "{{ " + Number(i + 3) + " ** 99 }}"; },
      [](int i) { return "{{ 9223372036854775807 + " + Number(i + 1) + " }}"; },
      [](int i) {
        return "{% set l = (range(99999)|list + range(" + Number(i) + ")|list)|reverse|list %}" +
               Repeated("{{ l|sort|first }}{{ l|map('string')|sort|last }}", 4);
      },
      [](int i) { return "{{ range(" + Number(9000 + i) + ")|map('string')|unique|list }}"; },
      [](int i) {
        return "{% for x in range(9999) %}{{ ('a' * 200000) in ('a' * " + Number(199999 - i) +
               " ~ 'b' * 300000) }}{% endfor %}";
      },
      [](int i) {
        return "{% set a = 'a' * " + Number(500000 + i) +
               " %}{{ (a ~ a ~ a ~ a).count(a ~ 'b') }}{{ a.strip(a) }}";
      },
      [](int i) {
        return "{% set s = ' a' * " + Number(9999 + i) + " %}" +
               Fors(2, 99, "{{ s.split()|length }}");
      },
      [](int i) {
        return "{% set d = dict(range(" + Number(2900 + i) + ")|map('batch', 1)) %}{{ d }}";
      },
      [](int i) {
        return "{% for x in range(99999) %}{% set y" + Number(i) +
               " = x|string|upper|lower|trim|title|length %}{% endfor %}";
      },
      [](int i) {
        return "{% for x in range(99999) %}{{ strftime_now('%A %B %c' * " + Number(i + 5) +
               ") }}{% endfor %}";
      },
  };
}

std::vector<Family> DeepNesting() {
  return {
      [](int i) { return "{{ " + Repeated("(", 101 + i * 50); },
      [](int i) { return "{{ " + Repeated("[", 101 + i * 50); },
      [](int i) { return "{{ " + Repeated("{1:", 101 + i * 50); },
      [](int i) { return "{{ " + Repeated("f(", 101 + i * 50); },
      [](int i) { return "{{ " + Repeated("x[", 101 + i * 50); },
      [](int i) { return "{{ " + Repeated("not ", 101 + i * 50) + "x }}"; },
      [](int i) { return "{{ " + Repeated("1 if ", 101 + i * 50) + "x }}"; },
      [](int i) { return "{{ " + Repeated("1 if 1 else ", 101 + i * 50) + "x }}"; },
      [](int i) { return Repeated("{% if 1 %}", 101 + i); },
      [](int i) { return Repeated("{% for x in y %}", 101 + i); },
      [](int i) { return Repeated("{% set x %}{% filter upper %}", 51 + i); },
      [](int i) { return Repeated("{% macro m() %}{% call m() %}", 51 + i); },
      [](int i) { return "{% set " + Repeated("(", 101 + i * 50) + "x"; },
      [](int i) { return "{{ 'a'|map(" + Repeated("'map', ", 101 + i * 50) + "'upper') }}"; },
      [](int i) {
        return "{% macro m(n) %}" + std::string(static_cast<size_t>(i), 'x') +
               "{{ m(n + 1) }}{% endmacro %}{{ m(0) }}";
      },
      [](int i) {
        return "{% macro a(n) %}{{ b(n + " + Number(i) +
               ") }}{% endmacro %}{% macro b(n) %}{% if 1 %}{{ [a(n)] }}{% endif %}{% endmacro "
               "%}{{ a(0) }}";
      },
      [](int i) {
        return "{% for x in [" + Number(i) + "] recursive %}{{ loop([x]) }}{% endfor %}";
      },
      [](int i) {
        return "{% for x in [1] recursive %}" + Repeated("{{ loop([x, x]) }}", i + 1) +
               "{% endfor %}";
      },
      [](int i) {
        return "{% macro m(f) %}{% call m(" + Number(i) +
               ") %}{{ caller() }}{% endcall %}{% endmacro %}{{ m(0) }}";
      },
      [](int i) {
        return "{% macro m(n) %}{{ n * 'a' }}{{ m(n * 2) }}{{ m(n + 1) }}{% endmacro %}{{ m(" +
               Number(i + 1) + ") }}";
      },
      [](int i) { return Repeated("{{ 1 }}", 50000 + i); },
  };
}

constexpr int kEach = 20;

void RunAll(const std::vector<Family>& families, int* count) {
  for (size_t family = 0; family < families.size(); ++family) {
    for (int i = 0; i < kEach; ++i) {
      const std::string source = families[family](i + 1);
      const auto body = Parse(source);
      const Limits limits;
      int64_t used = 0;
      const auto text = body.ok() ? Render(*body, {}, limits, {}, &used) : body.error();
      EXPECT_FALSE(text.ok()) << "family " << family << ", " << i << ": " << source.substr(0, 200);
      EXPECT_LE(used, limits.operations);
      if (!text.ok()) {
        EXPECT_THAT(text.error().message, ::testing::StartsWith("chat template, line 1: "));
        EXPECT_LT(text.error().message.size(), 400u) << source.substr(0, 200);
      }
      ++*count;
    }
  }
}

TEST(JinjaBudget, EndsAThousandHostileTemplatesOnASmallStack) {
  int count = 0;
  testing::OnSmallStack(
      [](void* counter) {
        auto* ended = static_cast<int*>(counter);
        RunAll(GrowingValues(), ended);
        RunAll(LongWork(), ended);
        RunAll(DeepNesting(), ended);
      },
      &count);
  EXPECT_GE(count, 1000);
}

TEST(JinjaBudget, CountsOperations) {
  const auto body = Parse("{% for x in range(10) %}{{ x }}{% endfor %}");
  ASSERT_TRUE(body.ok());
  int64_t used = 0;
  ASSERT_TRUE(Render(*body, {}, {}, {}, &used).ok());
  EXPECT_GT(used, 20);
  EXPECT_LT(used, 200);
  EXPECT_TRUE(Render(*body, {}, {.operations = used}, {}, nullptr).ok());
  EXPECT_EQ(Render(*body, {}, {.operations = used - 1}).error().message,
            "chat template, line 1: rendering takes more than " + std::to_string(used - 1) +
                " operations");
}

TEST(JinjaBudget, BoundsTheMemoryOfAllValues) {
  const auto body = Parse("{% for x in range(100) %}{% set y = 'a' * 10000 %}{% endfor %}");
  ASSERT_TRUE(body.ok());
  EXPECT_TRUE(Render(*body, {}, {.memory_bytes = size_t{2} << 20}).ok());
  EXPECT_EQ(Render(*body, {}, {.memory_bytes = size_t{1} << 19}).error().message,
            "chat template, line 1: rendering takes more than 524288 bytes of memory");
  EXPECT_EQ(Render(*Parse("{{ 'a' * 1001 }}"), {}, {.output_bytes = 1000}).error().message,
            "chat template, line 1: a repetition is too long");
  EXPECT_EQ(
      Render(*Parse("{{ 'a' * 800 ~ 'a' * 800 }}"), {}, {.output_bytes = 1000}).error().message,
      "chat template, line 1: a value of 1600 bytes is too long; at most 1000 allowed");
}

TEST(JinjaBudget, TakesMacrosApartThatHoldTheirOwnScope) {
  const auto body = Parse(
      "{% set ns = namespace() %}{% macro m(x) %}{% macro i() %}{{ x }}{% endmacro %}{% set ns.f = "
      "i "
      "%}{% set ns.s = ns %}{{ i() }}{% endmacro %}{{ m(1) }}{{ ns.f() }}{{ m(2) }}{{ ns.s.f() }}");
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(*Render(*body, {}, {}), "1122");
}

}  // namespace
}  // namespace tenon::text::jinja
