#include "sync/origin_text.h"

#include <fcntl.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "config/project.h"
#include "pep/marker.h"
#include "pep/name.h"
#include "pep/req.h"
#include "sync/origin.h"
#include "sync/workspace.h"

#define TEXT_MAX ((size_t)4 << 20)

/* One requirement, under `extra == 'name'` when it is of an extra. */
static bool write_requirement(struct workspace *w, struct str text, struct str extra, struct buf *b, struct err *e)
{
    const struct marker *of;
    struct req r;

    if (!req_parse(w->a, text, &r, e))
        return err_as(e, ERR_PACKAGE, "read what it depends on");
    if (extra.n) {
        if (!marker_parse(w->a, arena_printf(w->a, "extra == '" STR_FMT "'", STR_ARG(extra)), &of, e))
            return false;
        r.marker = r.marker ? marker_and(w->a, r.marker, of) : of;
        text = req_text(w->a, &r);
    }
    (void)buf_printf(b, "Requires-Dist: " STR_FMT "\n", STR_ARG(text));
    return true;
}

static bool write_list(struct workspace *w, const struct project_list *l, struct str extra, struct buf *b,
                       struct err *e)
{
    if (extra.n)
        (void)buf_printf(b, "Provides-Extra: " STR_FMT "\n", STR_ARG(extra));
    for (size_t i = 0; i < l->reqs.n; i++)
        if (!write_requirement(w, l->reqs.p[i].text, extra, b, e))
            return false;
    return true;
}

static bool write_all(struct workspace *w, const struct project *p, bool own, struct str *out, struct err *e)
{
    AUTO_BUF b = { .limit = TEXT_MAX };

    (void)buf_printf(&b, "Metadata-Version: 2.2\nName: " STR_FMT "\nVersion: " STR_FMT "\n", STR_ARG(p->name),
                     STR_ARG(p->version));
    if (p->requires_python.n)
        (void)buf_printf(&b, "Requires-Python: " STR_FMT "\n", STR_ARG(p->requires_python));
    if (!own && !write_list(w, &p->dependencies, STR(""), &b, e))
        return false;
    for (size_t i = 0; !own && i < p->extras.n; i++)
        if (!write_list(w, &p->extras.p[i], p->extras.p[i].normalized, &b, e))
            return false;
    if (b.full)
        return err_set(e, ERR_PACKAGE, "its dependencies have more than %zu bytes", TEXT_MAX);
    *out = arena_str(w->a, buf_done(&b));
    return true;
}

bool origin_static_text(struct workspace *w, struct origin *o, struct str *out, struct err *e)
{
    struct project read;
    const struct project *p = &read;
    struct str text, at = str_of(o->tree);

    *out = (struct str){ NULL, 0 };
    if (o->subdirectory.n)
        at = arena_printf(w->a, "%s/" STR_FMT, o->tree, STR_ARG(o->subdirectory));
    const char *file = arena_printf(w->a, STR_FMT "/pyproject.toml", STR_ARG(at)).p;

    if (o->own && w->project.found) {
        p = &w->project; /* with an edit that is not written yet */
    } else {
        if (!fd_read_if_there(AT_FDCWD, file, PROJECT_FILE_MAX, w->a, &text, e))
            return err_as(e, ERR_PACKAGE, "read the source tree");
        if (!text.p)
            return true;
        if (!project_parse(text, file, w->a, &read, e))
            return err_as(e, ERR_PACKAGE, "read the source tree");
    }
    if (p->has_project && p->name.n)
        o->name = name_normalize(w->a, p->name);
    if (!p->has_project || p->name.n == 0 || p->version.n == 0 || p->dynamic_dependencies || p->dynamic_extras ||
        p->dynamic_version || p->dynamic_requires_python)
        return true;
    return write_all(w, p, o->own, out, e);
}
