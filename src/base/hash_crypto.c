/* The part of hash.h that needs libcrypto, which is opened when the first digest is made. A file of its own, so that
 * programs without digests hold nothing of it. */
#include "base/hash.h"

#include <dlfcn.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <unistd.h>
#include "base/err.h"
#include "base/mem.h"

#define CRYPTO_LIBRARY "libcrypto.so.3"

struct digest {
    EVP_MD *md;
    EVP_MD_CTX *ctx;
};

/* the functions of libcrypto that are used, resolved once */
#define CRYPTO_CALLS(X)                                                                                                \
    X(EVP_MD_fetch)                                                                                                    \
    X(EVP_MD_free)                                                                                                     \
    X(EVP_MD_CTX_new)                                                                                                  \
    X(EVP_MD_CTX_free)                                                                                                 \
    X(EVP_DigestInit_ex2)                                                                                              \
    X(EVP_DigestUpdate)                                                                                                \
    X(EVP_DigestFinal_ex)

static struct {
    bool ready;
#define X(call) __typeof__(call) *call;
    CRYPTO_CALLS(X)
#undef X
} crypto;

static pthread_once_t crypto_once = PTHREAD_ONCE_INIT;

static void open_crypto(void)
{
    void *lib = dlopen(CRYPTO_LIBRARY, RTLD_LAZY | RTLD_LOCAL);

    if (!lib)
        return;
    bool all = true;
#define X(call)                                                                                                        \
    {                                                                                                                  \
        void *found = dlsym(lib, #call);                                                                               \
        memcpy(&crypto.call, &found, sizeof found);                                                                    \
        all = all && found;                                                                                            \
    }
    CRYPTO_CALLS(X)
#undef X
    crypto.ready = all;
}

static const char *crypto_name(struct str name, char out[32])
{
    size_t n = MIN(name.n, (size_t)31);

    if (str_eq(name, STR("blake2b")))
        return "BLAKE2B-512";
    if (str_eq(name, STR("blake2s")))
        return "BLAKE2S-256";
    memcpy(out, name.p, n);
    out[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (out[i] == '_')
            out[i] = '-'; /* sha3_256 */
    return out;
}

bool digest_new(struct str name, struct digest **out, struct err *e)
{
    char text[32];

    (void)pthread_once(&crypto_once, open_crypto); /* its only error is a bad argument */
    if (!crypto.ready)
        return err_set(e, ERR_IO, "load %s for hashing: %s", CRYPTO_LIBRARY, "not found or too old");
    EVP_MD *md = name.n < sizeof text ? crypto.EVP_MD_fetch(NULL, crypto_name(name, text), NULL) : NULL;

    if (!md)
        return err_set(e, ERR_PACKAGE, "unknown hash '" STR_FMT "'", STR_ARG(name));
    struct digest *d = mem_alloc(sizeof *d);

    *d = (struct digest){ .md = md, .ctx = crypto.EVP_MD_CTX_new() };
    if (!d->ctx || !crypto.EVP_DigestInit_ex2(d->ctx, d->md, NULL)) {
        digest_free(d);
        return err_set(e, ERR_PACKAGE, "hash '" STR_FMT "' cannot be computed here", STR_ARG(name));
    }
    *out = d;
    return true;
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    crypto.EVP_MD_CTX_free(d->ctx);
    crypto.EVP_MD_free(d->md);
    free(d);
}

void digest_auto(struct digest **d)
{
    digest_free(*d);
}

void digest_add(struct digest *d, const void *p, size_t n)
{
    if (!crypto.EVP_DigestUpdate(d->ctx, p, n))
        BUG("digest update");
}

void digest_finish(struct digest *d, unsigned char out[HASH_MAX], size_t *n)
{
    unsigned len = 0;

    if (!crypto.EVP_DigestFinal_ex(d->ctx, out, &len) || !crypto.EVP_DigestInit_ex2(d->ctx, d->md, NULL))
        BUG("digest finish");
    *n = len;
}

bool hash_sha256(const void *p, size_t n, unsigned char out[HASH_SHA256], struct err *e)
{
    AUTO_DIGEST d = NULL;
    unsigned char all[HASH_MAX];
    size_t len;

    if (!digest_new(STR("sha256"), &d, e))
        return false;
    digest_add(d, p, n);
    digest_finish(d, all, &len);
    memcpy(out, all, HASH_SHA256);
    return true;
}

bool hash_sha256_file(int fd, const char *name, unsigned char out[HASH_SHA256], struct err *e)
{
    AUTO_DIGEST d = NULL;
    AUTO(mem_auto) char *chunk = mem_alloc(1 << 16);
    unsigned char all[HASH_MAX];
    size_t len;

    if (!digest_new(STR("sha256"), &d, e))
        return false;
    for (off_t at = 0;;) {
        ssize_t k = pread(fd, chunk, 1 << 16, at);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(e, "read %s", name);
        if (k == 0)
            break;
        digest_add(d, chunk, (size_t)k);
        at += k;
    }
    digest_finish(d, all, &len);
    memcpy(out, all, HASH_SHA256);
    return true;
}
