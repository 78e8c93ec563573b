#include "daemon/ignore.h"

bool ignore_is_temporary(struct str name)
{
    static const struct str tails[] = { STR_INIT("~"), STR_INIT(".tmp"), STR_INIT("___jb_tmp___"),
                                        STR_INIT("___jb_old___"), STR_INIT("___jb_bak___"), STR_INIT(".crdownload"),
                                        STR_INIT(".part") };

    if (str_eq(name, STR("4913")) || str_starts(name, STR(".#")) || str_starts(name, STR(".goutputstream-")))
        return true;
    if (name.n > 1 && name.p[0] == '#' && name.p[name.n - 1] == '#')
        return true;
    if (name.n > 5 && name.p[0] == '.' && str_starts(str_sub(name, name.n - 4, name.n), STR(".sw")))
        return true; /* .x.swp, .x.swx, .x.swo */
    for (size_t i = 0; i < COUNT(tails); i++)
        if (str_ends(name, tails[i]))
            return true;
    return false;
}

bool ignore_is_folder(struct str name)
{
    static const struct str names[] = {
        STR_INIT(".git"),   STR_INIT(".hg"),          STR_INIT(".svn"),         STR_INIT(".jj"),   STR_INIT(".sl"),
        STR_INIT("CVS"),    STR_INIT(".bzr"),         STR_INIT(".pijul"),       STR_INIT(".venv"), STR_INIT("venv"),
        STR_INIT(".blast"), STR_INIT("node_modules"), STR_INIT("__pycache__"),  STR_INIT("build"), STR_INIT("dist"),
        STR_INIT(".tox"),   STR_INIT(".nox"),         STR_INIT(".mypy_cache"),  STR_INIT(".eggs"), STR_INIT("target"),
        STR_INIT(".cache"), STR_INIT(".ruff_cache"),  STR_INIT(".pytest_cache"), STR_INIT(".idea"),
        STR_INIT(".vscode"), STR_INIT(".ipynb_checkpoints"),
    };

    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq(name, names[i]))
            return true;
    return str_ends(name, STR(".egg-info")) || str_ends(name, STR(".dist-info"));
}

bool ignore_is_distribution(struct str name)
{
    return str_ends(name, STR(".dist-info")) || str_ends(name, STR(".egg-info")) || str_ends(name, STR(".egg-link"));
}

bool ignore_line(struct str line, struct str *pattern, bool *anchored)
{
    while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t' || line.p[line.n - 1] == '\r'))
        line.n--;
    if (!line.n || line.p[0] == '#' || line.p[0] == '!')
        return false;
    *anchored = str_cut_prefix(&line, STR("/"));
    (void)str_cut_suffix(&line, STR("/"));
    if (!line.n || str_find(line, '/') < line.n || str_eq(line, STR("*")) || str_eq(line, STR("**")))
        return false;
    *pattern = line;
    return true;
}
