#include "address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

static bool usable(const struct ifaddrs *i, bool loopback)
{
    return i->ifa_addr && i->ifa_addr->sa_family == AF_INET && (i->ifa_flags & IFF_UP) &&
           ((i->ifa_flags & IFF_LOOPBACK) != 0) == loopback;
}

static int collect(char text[][ADDRESS_TEXT], int max, const struct ifaddrs *all, bool loopback)
{
    int n = 0;
    for (const struct ifaddrs *i = all; i && n < max; i = i->ifa_next) {
        struct sockaddr_in at;
        if (!usable(i, loopback)) continue;
        memcpy(&at, i->ifa_addr, sizeof at);
        n += inet_ntop(AF_INET, &at.sin_addr, text[n], ADDRESS_TEXT) != NULL;
    }
    return n;
}

int address_list(char text[][ADDRESS_TEXT], int max)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0) return 0;
    int n = collect(text, max, all, false);
    if (n == 0) n = collect(text, max, all, true);
    freeifaddrs(all);
    return n;
}
