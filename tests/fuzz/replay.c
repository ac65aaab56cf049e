// Runs a target once on each file of the given folders, in builds without libFuzzer.
//
// So inputs that once failed are tested with every compiler and in every build.
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

static unsigned replay_count;

static void replay_file(const char *path)
{
    struct stat status;
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file != NULL);
    FUZZ_CHECK(fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode));
    size_t size = (size_t)status.st_size;
    uint8_t *bytes = malloc(size + 1);
    FUZZ_CHECK(bytes != NULL);
    FUZZ_CHECK(fread(bytes, 1, size, file) == size);
    (void)fclose(file);
    (void)printf("%s\n", path); // before the run, so that a crash follows the name
    (void)fflush(stdout);
    (void)LLVMFuzzerTestOneInput(bytes, size);
    replay_count++;
    free(bytes);
}

static void replay_folder(const char *folder)
{
    DIR *list = opendir(folder);
    FUZZ_CHECK(list != NULL);
    const struct dirent *entry = NULL;
    while ((entry = readdir(list)) != NULL) {
        if (entry->d_name[0] != '.') {
            char path[4096];
            (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
            replay_file(path);
        }
    }
    (void)closedir(list);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        replay_folder(argv[i]);
    }
    (void)printf("%u inputs\n", replay_count);
    return replay_count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
