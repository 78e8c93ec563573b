/* Runs a fuzz target over files: every file of the folders and every file given. Used by plain builds, so that
 * the seeds and past findings are part of each test run. Prints how many it ran. */
#include <dirent.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rbe");
    long n;

    if (!f || fseek(f, 0, SEEK_END) < 0 || (n = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) < 0) {
        perror(path);
        exit(1);
    }
    uint8_t *data = malloc((size_t)n + 1);

    if (!data || fread(data, 1, (size_t)n, f) != (size_t)n) {
        perror(path);
        exit(1);
    }
    (void)fclose(f);
    for (size_t cut = 0; cut < 4; cut++) /* the whole file, and cut short */
        (void)LLVMFuzzerTestOneInput(data, (size_t)n * (4 - cut) / 4);
    free(data);
    return 1;
}

static int run_path(const char *path)
{
    struct stat st;
    int count = 0;

    if (stat(path, &st) < 0) {
        perror(path);
        exit(1);
    }
    if (!S_ISDIR(st.st_mode))
        return run_file(path);
    DIR *d = opendir(path);
    struct dirent *entry;

    while (d && (entry = readdir(d))) {
        char sub[4096];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(sub, sizeof sub, "%s/%s", path, entry->d_name);
        count += run_path(sub);
    }
    if (d)
        (void)closedir(d);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++)
        count += run_path(argv[i]);
    printf("%d inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}
