#include "crc.h"

#include <string.h>

/* Four bits at a time: sixteen entries need no set-up, and records are small beside the disk they
 * are written to. */
static const uint32_t table[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc_32c(uint32_t before, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    uint32_t             sum = ~before;
    for (size_t i = 0; i < size; i++) {
        sum ^= p[i];
        sum = sum >> 4 ^ table[sum & 15];
        sum = sum >> 4 ^ table[sum & 15];
    }
    return ~sum;
}

uint32_t crc_number(uint32_t before, int64_t x)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)x >> 8 * i);
    return crc_32c(before, bytes, sizeof bytes);
}

uint32_t crc_text(uint32_t before, const char *text)
{
    if (!text) text = "";
    return crc_32c(before, text, strlen(text) + 1);
}
