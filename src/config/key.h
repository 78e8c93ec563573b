/* The keys of config/keys.def as a table, and their values as text and as TOML. For config/ and for sync/trust.c, which
 * compares layers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "config/config.h"

struct arena;
struct toml_node;

enum config_type {
    TYPE_BOOL,
    TYPE_INT,
    TYPE_FLOAT,
    TYPE_TEXT,
    TYPE_WORD,
    TYPE_LIST,
    TYPE_PORTS,
    TYPE_SIZE,
    TYPE_DURATION,
    TYPE_MOMENT
};

enum config_section_id {
#define SECTION(id, name, required, sentence) SECTION_##id,
#define KEY(section, name, type, preset, min, max, unit, sentence)
#include "config/keys.def"
#undef KEY
#undef SECTION
    CONFIG_SECTIONS
};

struct config_section_info {
    const char *name, *sentence;
    bool required;
};

struct config_key_info {
    enum config_section_id section;
    enum config_type type;
    const char *name, *preset, *unit, *sentence;
    int64_t min, max;
    size_t offset; /* in struct config */
};

extern const struct config_section_info config_sections[CONFIG_SECTIONS];
extern const struct config_key_info config_keys[CONFIG_KEYS];

/* Put a value into its field; false when the key does not take it. */
MUST_USE bool key_from_text(const struct config_key_info *k, struct str text, struct arena *a, struct config *c);
MUST_USE bool key_from_toml(const struct config_key_info *k, const struct toml_node *n, struct arena *a,
                            struct config *c);
/* The field as TOML writes it. */
MUST_USE struct str key_format(const struct config_key_info *k, const struct config *c, struct arena *a);
/* What the key takes: "a whole number from 1 to 500". */
MUST_USE struct str key_wants(const struct config_key_info *k, struct arena *a);
/* BLAST_<SECTION>_<KEY> */
MUST_USE struct str key_variable(const struct config_key_info *k, struct arena *a);
