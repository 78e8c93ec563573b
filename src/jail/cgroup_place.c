#include "jail/cgroup_place.h"

#include "base/arena.h"

static bool has_word(struct str list, struct str word)
{
    for (struct str part; str_next(&list, ',', &part);)
        if (str_eq(part, word))
            return true;
    return false;
}

/* Lines are "number:controllers:path"; a path may hold colons. Version 2 is number 0 without controllers. */
static bool find_own(struct str groups, struct str controller, struct str *out)
{
    for (struct str line; str_next_line(&groups, &line);) {
        struct str part[3];

        if (str_split(line, ':', part, 3) < 3)
            continue;
        if (controller.n ? !has_word(part[1], controller) : !str_eq(part[0], STR("0")) || part[1].n)
            continue;
        *out = str_sub(line, (size_t)(part[2].p - line.p), line.n);
        return out->n && out->p[0] == '/';
    }
    return false;
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* mountinfo writes space, tab, newline and backslash as three octal digits. */
static struct str unescape(struct arena *a, struct str text)
{
    char *out = ARENA_ARRAY(a, char, text.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        const char *p = text.p + i;

        if (text.n - i > 3 && p[0] == '\\' && is_octal(p[1]) && is_octal(p[2]) && is_octal(p[3])) {
            out[n++] = (char)(((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0')) & 0xff);
            i += 3;
        } else {
            out[n++] = *p;
        }
    }
    out[n] = '\0';
    return (struct str){ out, n };
}

/* What of the path lies below the mount's root, with its slash in front; "" for the root itself. A root or path with
 * ".." lies above this cgroup namespace. */
static bool cut_root(struct str *path, struct str root)
{
    if (str_search(*path, STR("/../")) < path->n || str_eq(*path, STR("/..")) ||
        (path->n > 3 && str_eq(str_sub(*path, path->n - 3, path->n), STR("/.."))))
        return false;
    if (!str_eq(root, STR("/")) && !str_cut_prefix(path, root))
        return false;
    if (str_eq(*path, STR("/")))
        *path = STR("");
    return path->n == 0 || path->p[0] == '/';
}

/* Fields: 36 35 98:0 /root /mount-point options optional... - type source options. */
bool cgroup_place(struct str groups, struct str mounts, struct str controller, struct arena *a, struct str *out)
{
    struct str own;

    if (!find_own(groups, controller, &own))
        return false;
    for (struct str line; str_next_line(&mounts, &line);) {
        size_t dash = str_search(line, STR(" - "));
        struct str left[6], right[3], below = own;

        if (dash == line.n || str_split(str_sub(line, 0, dash), ' ', left, 6) < 6 ||
            str_split(str_sub(line, dash + 3, line.n), ' ', right, 3) < 3)
            continue;
        if (controller.n ? !str_eq(right[0], STR("cgroup")) || !has_word(right[2], controller)
                         : !str_eq(right[0], STR("cgroup2")))
            continue;
        if (left[4].n == 0 || left[4].p[0] != '/' || !cut_root(&below, unescape(a, left[3])))
            continue;
        struct str point = unescape(a, left[4]);

        *out = arena_printf(a, STR_FMT STR_FMT, STR_ARG(point), STR_ARG(below));
        return true;
    }
    return false;
}
