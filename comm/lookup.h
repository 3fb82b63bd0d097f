/* lookup.h - the address behind a host's name.
 *
 * A file of its own because <sys/socket.h> and socket.h both want the word `socket`. */
#ifndef DID_LOOKUP_H
#define DID_LOOKUP_H

#include <stdbool.h>

enum { LOOKUP_TEXT = 16 };

/* The first IPv4 address of `name` in numbers; false when nobody knows the name. May wait for a name
 * server. Local. */
bool lookup_address(char text[LOOKUP_TEXT], const char *name);

#endif
