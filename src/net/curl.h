/* libcurl, opened late: its functions in a table, so that a command without requests never loads it (4 ms).
 *
 * For the files of net/ that make requests; nobody else sees a type of libcurl.
 */
#pragma once

#define CURL_DISABLE_TYPECHECK /* its macros would stand in the way of the table's members */
#include <curl/curl.h>
#include "base/attr.h"

struct err;

#define CURL_CALLS(X)                                                                                                  \
    X(curl_global_init)                                                                                                \
    X(curl_easy_init)                                                                                                  \
    X(curl_easy_cleanup)                                                                                               \
    X(curl_easy_reset)                                                                                                 \
    X(curl_easy_setopt)                                                                                                \
    X(curl_easy_getinfo)                                                                                               \
    X(curl_easy_header)                                                                                                \
    X(curl_easy_strerror)                                                                                              \
    X(curl_slist_append)                                                                                               \
    X(curl_slist_free_all)                                                                                             \
    X(curl_share_init)                                                                                                 \
    X(curl_share_cleanup)                                                                                              \
    X(curl_share_setopt)                                                                                               \
    X(curl_multi_init)                                                                                                 \
    X(curl_multi_cleanup)                                                                                              \
    X(curl_multi_setopt)                                                                                               \
    X(curl_multi_add_handle)                                                                                           \
    X(curl_multi_remove_handle)                                                                                        \
    X(curl_multi_assign)                                                                                               \
    X(curl_multi_socket_action)                                                                                        \
    X(curl_multi_info_read)                                                                                            \
    X(curl_multi_strerror)

struct curl_calls {
#define X(call) __typeof__(call) *call;
    CURL_CALLS(X)
#undef X
};

/* The table, loaded at the first call and kept; NULL with ERR_NETWORK when libcurl is missing or too old. */
MUST_USE const struct curl_calls *curl_open(struct err *e);
