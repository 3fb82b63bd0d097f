#include "cmd_keys.h"

#include <stdio.h>

#include "caller.h"
#include "keyring.h"
#include "log.h"

typedef struct keys {
    const char *dir, *name;
    int         role;
} keys;

#define AT(member) .offset = offsetof(keys, member)

static const option table[] = {
    {.help = "Where and for whom"},
    {"dir", 0, OPTION_TEXT, "DIR", .silent = "the first word", AT(dir),
     .help = "made with mode 0700 and the service's own pair where it is missing"},
    {"name", 0, OPTION_TEXT, "NAME", .silent = "nobody", AT(name),
     .help = "make DIR/NAME.key and put NAME on the list DIR/allowed; hand the file to its owner"},
    {"role", 0, OPTION_CHOICE, "client|world|both", "client", AT(role),
     .help = "client: submits and fetches documents of its own; world: generates everybody's"},
};

const option_table cmd_keys_table = {.command = "keys",
                                     .summary =
                                         "make the keys of a service, its clients and its worlds.",
                                     .usage = "DIR [--name NAME] [--role client|world|both]",
                                     .option = table,
                                     .n = sizeof table / sizeof table[0]};

int cmd_keys(int argc, char *const *argv)
{
    keys     k = {0};
    options *said;
    int      word = argc > 0 && argv[0][0] != '-';
    status   s = options_read(&said, &cmd_keys_table, &k, argc - word, argv + word);
    if (word) k.dir = argv[0];
    if (s == DID_OK && !k.dir) s = status_fail(DID_EINVAL, "name the directory of the keys");
    if (s == DID_OK) s = keyring_make(k.dir, k.name, (role)(k.role + ROLE_CLIENT));
    if (s == DID_OK && k.name) log_say("keys", "%s/%s.key is made and allowed", k.dir, k.name);
    else if (s == DID_OK) log_say("keys", "%s is ready", k.dir);
    options_close(&said);
    return caller_end(s);
}
