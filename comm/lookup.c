#include "lookup.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

bool lookup_address(char text[LOOKUP_TEXT], const char *name)
{
    struct addrinfo *found, wish = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(name, NULL, &wish, &found) != 0) return false;
    bool known = getnameinfo(found->ai_addr, found->ai_addrlen, text, LOOKUP_TEXT, NULL, 0,
                             NI_NUMERICHOST) == 0;
    freeaddrinfo(found);
    return known;
}
