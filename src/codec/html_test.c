#include "codec/html.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* "a(href=x,yanked=):text;" for each tag */
static bool render(struct str text, struct arena *a, struct buf *out, struct err *e)
{
    static const char *const kind[] = { [HTML_A] = "a", [HTML_BASE] = "base", [HTML_META] = "meta" };
    struct html h;
    struct html_tag tag;

    html_init(&h, text, a, e);
    while (html_next(&h, &tag)) {
        (void)buf_printf(out, "%s(", kind[tag.kind]);
        for (size_t i = 0; i < tag.n; i++)
            (void)buf_printf(out, "%s" STR_FMT "=" STR_FMT, i ? "," : "", STR_ARG(tag.attr[i].name),
                             STR_ARG(tag.attr[i].value));
        (void)buf_printf(out, "):" STR_FMT ";", STR_ARG(tag.text));
    }
    return !h.failed;
}

static void reads_links_as_browsers_do(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "", "" },
        { "no markup, a > b", "" },
        { "<a>x</a>", "a():x;" },
        { "<a href=\"x\">y</a>", "a(href=x):y;" },
        { "<A HREF = 'x'\n>\n y \n</A >", "a(HREF=x):y;" },
        { "<a href=x/y data-yanked>z</a>", "a(href=x/y,data-yanked=):z;" },
        { "<a data-yanked=\"\" href=x>z</a>", "a(data-yanked=,href=x):z;" },
        { "<a href=\"a>b\" title='\"'>z</a>", "a(href=a>b,title=\"):z;" },
        { "<a href=x/>z</a>", "a(href=x/):z;" },
        { "<a href=\"x\"/>z</a>", "a(href=x):z;" },
        { "<a href=\"x\"class=\"y\">z</a>", "a(href=x,class=y):z;" },
        { "<a href=x data-requires-python=\"&gt;=3.8, &lt;4 &amp;amp; &#62;&#x3E;&#X3e\">z</a>",
          "a(href=x,data-requires-python=>=3.8, <4 &amp; >>>):z;" },
        { "<a href='?a&b&copy;&'>a&#38;b &unknown; &#; &</a>", "a(href=?a&b&copy;&):a&b &unknown; &#; &;" },
        { "<a>&#0;&#xD800;&#99999999999999;</a>", "a():\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD;" },
        { "<a>&apos;&quot;&nbsp;.</a>", "a():'\"\xC2\xA0.;" },
        { "<a href=x>one<br/>two <!-- <a> --><b class='>'>three</b></a>", "a(href=x):onetwo three;" },
        { "<a>1 < 2</a>", "a():1 < 2;" },
        { "<a href=x>x<a href=y>y</a>", "a(href=x):x;a(href=y):y;" },
        { "<!-- <a href=x>x</a> --><a>y</a><!--><a>z</a>", "a():y;a():z;" },
        { "<!DOCTYPE html><html><head><title><a>no</a></title><script>'<a>'</script><style><a></style></head>"
          "<body><abbr><a>y</a></body></html>",
          "a():y;" },
        { "<script src=x></scripted><a>no</a></SCRIPT ><a>y</a>", "a():y;" },
        { "<?xml?><base href=\"../\"><meta name=\"pypi:repository-version\" content=\"1.1\"/><a>y</a>",
          "base(href=../):;meta(name=pypi:repository-version,content=1.1):;a():y;" },
        { "<basement><metal><address>", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        AUTO_BUF b;
        struct err e = { 0 };

        buf_init(&b, 4096);
        if (!render(str_of(cases[i].text), &a, &b, &e))
            fail_msg("%s: %s", cases[i].text, e.text);
        assert_string_equal(buf_done(&b).p, cases[i].want);
    }
}

static void notices_pages_that_were_cut_short(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "<html>\n<a href=x>x</a>\n<", "line 3: the page ends inside a tag" },
        { "\n<a", "line 2: the page ends inside a tag" },
        { "<a href", "line 1: the page ends inside a tag" },
        { "<a href=", "line 1: the page ends inside a tag" },
        { "<a href=\"x>\n", "line 1: the page ends inside a tag" },
        { "<a href=x>\n\nx", "line 1: the page ends inside a link" },
        { "<a href=x>x</a", "line 1: the page ends inside a" },
        { "<p>\n<!-- \n--", "line 2: the page ends inside a comment" },
        { "</bod", "line 1: the page ends inside a tag" },
        { "<script><a>x</a>", "line 1: the page ends inside of what is no markup" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        AUTO_BUF b;
        struct err e = { 0 };

        buf_init(&b, 4096);
        assert_false(render(str_of(cases[i].text), &a, &b, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s: '%s' does not say '%s'", cases[i].text, e.text, cases[i].why);
    }
}

static void tells_an_empty_attribute_from_none(void **state)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct html h;
    struct html_tag tag;

    (void)state;
    html_init(&h, STR("<a DATA-Yanked HREF=one href=two>x</a>"), &a, &e);
    assert_true(html_next(&h, &tag));
    assert_int_equal(html_attr(&tag, STR("data-yanked"))->n, 0);
    assert_null(html_attr(&tag, STR("data-core-metadata")));
    assert_true(str_eq(*html_attr(&tag, STR("href")), STR("one"))); /* of doubles the first, as the standard has it */
}

static void refuses_tags_with_too_many_attributes(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b;
    struct err e = { 0 };
    struct html h;
    struct html_tag tag;

    (void)state;
    buf_init(&b, 4096);
    (void)buf_str(&b, STR("<a"));
    for (int i = 0; i <= HTML_MAX_ATTRS; i++)
        (void)buf_printf(&b, " a%d", i);
    (void)buf_str(&b, STR(">x</a>"));
    html_init(&h, buf_done(&b), &a, &e);
    assert_false(html_next(&h, &tag));
    assert_string_equal(e.text, "line 1: a tag has more than 32 attributes");
    assert_false(html_next(&h, &tag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_links_as_browsers_do),
        cmocka_unit_test(notices_pages_that_were_cut_short),
        cmocka_unit_test(tells_an_empty_attribute_from_none),
        cmocka_unit_test(refuses_tags_with_too_many_attributes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
