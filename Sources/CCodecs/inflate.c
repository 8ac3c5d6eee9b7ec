#include "ccodecs.h"

#include <stdlib.h>
#include <string.h>

// gzip (RFC 1952) and the DEFLATE in it (RFC 1951), as a stream. What makes it fast: 64 bits of input at a time, table entries that hold a whole
// symbol, and copies of 8 bytes. Where less than enough for the longest symbol is left of input or output, a careful
// loop takes one symbol at a time, or nothing.

enum {
    window_size = 32768,
    longest_code = 15,
    longest_match = 258,
    // Bits that the first look into a table takes; longer codes take a second one.
    literal_bits = 11,
    distance_bits = 8,
    length_bits = 7,
    // Both looks. A second table is at most as wide as the longest code is longer than the first look, and there are
    // not more of them than symbols.
    literal_room = (1 << literal_bits) + 288 * (1 << (longest_code - literal_bits)),
    distance_room = (1 << distance_bits) + 32 * (1 << (longest_code - distance_bits)),
};

// An entry: bits 0–4 how many bits the code takes, 5–7 what it is, 8–12 how many bits follow it (or the width of the
// second table), 16–31 the literal, the length or distance to which those are added, or where the second table is.
#define IS_LITERAL 0x20u
#define IS_OTHER 0x40u  // with one of these:
#define IS_END 0x2000u
#define IS_SECOND 0x4000u
#define IS_INVALID 0x8000u
#define TAKES(entry) ((entry) & 31)
#define EXTRA(entry) ((entry) >> 8 & 31)
#define VALUE(entry) ((entry) >> 16)

struct ccodecs_inflate {
    uint64_t bits;  // read but not used; the next one is the lowest
    unsigned count;
    enum { at_head, at_block, in_stored, in_codes, at_tail, at_end } state;
    int is_last;
    unsigned head, flags, skip;    // bytes of gzip's header so far, its flags, what is left of its extra field
    uint32_t head_crc, crc, size;
    int has_crc;                   // the tail's checksum has been compared
    uint32_t stored;               // bytes of a stored block to come
    uint32_t match_left, distance; // of a match for which the output was too short
    size_t before;                 // valid bytes at the end of `window`
    uint32_t literals[literal_room];
    uint32_t distances[distance_room];
    uint32_t literal_entries[288], distance_entries[32];
    uint8_t window[window_size];   // the output's last bytes, before this call's
};

struct stream {
    const uint8_t *in, *in_end;
    uint8_t *out, *start, *end;
};

void ccodecs_inflate_destroy(ccodecs_inflate *s) { free(s); }

void ccodecs_inflate_reset(ccodecs_inflate *s) {
    s->bits = 0, s->count = 0, s->state = at_head, s->is_last = 0, s->match_left = 0, s->before = 0;
    s->head = 0, s->flags = 0, s->skip = 0, s->head_crc = 0, s->crc = 0, s->size = 0, s->has_crc = 0;
}

static uint64_t word(const uint8_t *p) {
    uint64_t value;
    memcpy(&value, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

/// Reads bytes until there are `wanted` bits or no input is left. Whether there are.
static int need(ccodecs_inflate *s, struct stream *io, unsigned wanted) {
    while (s->count < wanted && io->in < io->in_end) {
        s->bits |= (uint64_t)*io->in++ << s->count;
        s->count += 8;
    }
    return s->count >= wanted;
}

static uint32_t take(ccodecs_inflate *s, unsigned n) {
    uint32_t value = (uint32_t)(s->bits & ((1ull << n) - 1));
    s->bits >>= n;
    s->count -= n;
    return value;
}

/// Fills `table` for codes of `lengths` (0: none); `entries` says what each symbol is, without its code's length.
/// 0 unless the lengths are those of a prefix code. One code of one bit, or none, is taken as zlib takes them.
static int build(uint32_t *table, unsigned table_bits, const uint8_t *lengths, unsigned symbols,
                 const uint32_t *entries, int may_be_incomplete) {
    unsigned counts[longest_code + 1] = {0}, next[longest_code + 2] = {0};
    for (unsigned i = 0; i < symbols; i++) counts[lengths[i]]++;
    counts[0] = 0;
    unsigned longest = longest_code;
    while (longest && !counts[longest]) longest--;
    int left = 1;
    for (unsigned n = 1; n <= longest_code; n++) {
        left = 2 * left - (int)counts[n];
        if (left < 0) return 0;
        next[n + 1] = (next[n] + counts[n]) << 1;
    }
    if (left > 0 && longest && !(may_be_incomplete && longest == 1)) return 0;
    if (left > 0)
        for (unsigned i = 0; i < 1u << table_bits; i++) table[i] = IS_OTHER | IS_INVALID | 1;
    unsigned used = 1u << table_bits;
    // In the order of codes, so that those with the same beginning come one after another.
    uint16_t sorted[288];
    unsigned places[longest_code + 2] = {0};
    for (unsigned n = 1; n <= longest_code; n++) places[n + 1] = places[n] + counts[n];
    for (unsigned i = 0; i < symbols; i++)
        if (lengths[i]) sorted[places[lengths[i]]++] = (uint16_t)i;
    unsigned total = 0;
    for (unsigned n = 1; n <= longest_code; n++) total += counts[n];
    unsigned prefix = ~0u, second = 0, second_bits = 0;
    for (unsigned k = 0; k < total; k++) {
        unsigned symbol = sorted[k], n = lengths[symbol];
        unsigned reversed = __builtin_bitreverse32(next[n]++) >> (32 - n);
        if (n <= table_bits) {
            for (unsigned i = reversed; i < 1u << table_bits; i += 1u << n) table[i] = entries[symbol] | n;
            continue;
        }
        unsigned low = reversed & ((1u << table_bits) - 1);
        if (low != prefix) {
            // As wide as the codes with this beginning need: fewer bits while they are not used up.
            prefix = low;
            second_bits = n - table_bits;
            int room = 1 << second_bits;
            for (unsigned m = n, j = k; m <= longest; m++, room <<= 1) {
                unsigned same = 0;
                while (j < total && lengths[sorted[j]] == m) j++, same++;
                room -= (int)same;
                second_bits = m - table_bits;
                if (room <= 0) break;
            }
            second = used;
            used += 1u << second_bits;
            table[low] = IS_OTHER | IS_SECOND | second << 16 | second_bits << 8 | table_bits;
        }
        for (unsigned i = reversed >> table_bits; i < 1u << second_bits; i += 1u << (n - table_bits))
            table[second + i] = entries[symbol] | (n - table_bits);
    }
    return 1;
}

static uint32_t literal_entry(unsigned symbol) {
    static const uint16_t base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                    31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                    2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    if (symbol < 256) return IS_LITERAL | symbol << 16;
    if (symbol == 256) return IS_OTHER | IS_END;
    if (symbol > 285) return IS_OTHER | IS_INVALID;
    return (uint32_t)base[symbol - 257] << 16 | (uint32_t)extra[symbol - 257] << 8;
}

static uint32_t distance_entry(unsigned symbol) {
    if (symbol > 29) return IS_OTHER | IS_INVALID;
    if (symbol < 4) return (symbol + 1) << 16;
    unsigned extra = symbol / 2 - 1;
    return (((2 + symbol % 2) << extra) + 1) << 16 | extra << 8;
}

static int build_codes(ccodecs_inflate *s, const uint8_t *lengths, unsigned literals, unsigned distances) {
    return build(s->literals, literal_bits, lengths, literals, s->literal_entries, 1)
        && build(s->distances, distance_bits, lengths + literals, distances, s->distance_entries, 1);
}

static const char *fixed_codes(ccodecs_inflate *s) {
    uint8_t lengths[288 + 32];
    for (unsigned i = 0; i < 288; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    memset(lengths + 288, 5, 32);
    build_codes(s, lengths, 288, 32);
    s->state = in_codes;
    return NULL;
}

/// *whole is 0 where the input ends in between: then nothing has happened.
static const char *dynamic_codes(ccodecs_inflate *s, struct stream *io, int *whole) {
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t lengths[288 + 32] = {0};
    uint32_t table[1 << length_bits], entries[19];
    *whole = 0;
    if (!need(s, io, 14)) return NULL;
    unsigned literals = take(s, 5) + 257, distances = take(s, 5) + 1, codes = take(s, 4) + 4;
    if (literals > 286 || distances > 30) return "too many length or distance symbols";
    for (unsigned i = 0; i < codes; i++) {
        if (!need(s, io, 3)) return NULL;
        lengths[order[i]] = (uint8_t)take(s, 3);
    }
    for (unsigned i = 0; i < 19; i++) entries[i] = i << 16;
    if (!build(table, length_bits, lengths, 19, entries, 0)) return "invalid code lengths set";
    memset(lengths, 0, sizeof lengths);
    for (unsigned i = 0; i < literals + distances;) {
        need(s, io, length_bits + 7);
        uint32_t entry = table[s->bits & ((1 << length_bits) - 1)];
        unsigned symbol = VALUE(entry), extra = symbol < 16 ? 0 : symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
        if (entry & IS_OTHER && s->count >= length_bits) return "invalid code lengths set";
        if (entry & IS_OTHER || s->count < TAKES(entry) + extra) return NULL;
        take(s, TAKES(entry));
        if (symbol < 16) {
            lengths[i++] = (uint8_t)symbol;
            continue;
        }
        unsigned repeat = take(s, extra) + (symbol == 18 ? 11 : 3);
        if (symbol == 16 && i == 0) return "invalid bit length repeat";
        if (repeat > literals + distances - i) return "invalid bit length repeat";
        uint8_t value = symbol == 16 ? lengths[i - 1] : 0;
        memset(lengths + i, value, repeat);
        i += repeat;
    }
    if (!lengths[256]) return "invalid code -- missing end-of-block";
    if (!build_codes(s, lengths, literals, distances)) return "invalid literal/lengths or distances set";
    s->state = in_codes;
    *whole = 1;
    return NULL;
}

/// Starts a block. Where the input ends before its head does, it stays unread, as far as it is this call's.
static const char *block(ccodecs_inflate *s, struct stream *io, int *whole) {
    *whole = 0;
    if (!need(s, io, 3)) return NULL;
    int is_last = (int)take(s, 1);
    const char *reason = NULL;
    switch (take(s, 2)) {
    case 0: {
        take(s, s->count & 7);
        if (!need(s, io, 32)) return NULL;
        uint32_t length = take(s, 16);
        if ((take(s, 16) ^ length) != 0xffff) return "invalid stored block lengths";
        s->stored = length;
        s->state = in_stored;
        *whole = 1;
        break;
    }
    case 1: reason = fixed_codes(s), *whole = 1; break;
    case 2: reason = dynamic_codes(s, io, whole); break;
    default: return "invalid block type";
    }
    if (*whole) s->is_last = is_last;
    return reason;
}

static void stored(ccodecs_inflate *s, struct stream *io) {
    // What was read ahead comes first: whole bytes, since the block began at one.
    for (; s->stored && s->count && io->out < io->end; s->stored--) *io->out++ = (uint8_t)take(s, 8);
    size_t n = s->stored;
    if (n > (size_t)(io->in_end - io->in)) n = (size_t)(io->in_end - io->in);
    if (n > (size_t)(io->end - io->out)) n = (size_t)(io->end - io->out);
    if (n && !s->count) {
        memcpy(io->out, io->in, n);
        io->out += n, io->in += n, s->stored -= (uint32_t)n;
    }
    if (!s->stored) s->state = s->is_last ? at_tail : at_block;
}

/// Writes as much of the match as there is room for. Its distance has been checked.
static void match(ccodecs_inflate *s, struct stream *io) {
    while (s->match_left && io->out < io->end) {
        size_t made = (size_t)(io->out - io->start);
        *io->out = s->distance <= made ? io->out[-(ptrdiff_t)s->distance] : s->window[window_size - (s->distance - made)];
        io->out++, s->match_left--;
    }
}

static inline void copy_8(uint8_t *to, const uint8_t *from) {
    uint64_t eight;
    memcpy(&eight, from, 8);
    memcpy(to, &eight, 8);
}

#define SECOND_LOOK(entry, table)                                                        \
    if (__builtin_expect((entry) & IS_SECOND, 0)) {                                      \
        bits >>= TAKES(entry), count -= TAKES(entry);                                    \
        entry = (table)[VALUE(entry) + (bits & ((1u << EXTRA(entry)) - 1))];             \
    }

/// Symbols for as long as there is plenty of input and output.
static inline __attribute__((always_inline)) const char *fast_symbols(ccodecs_inflate *s, struct stream *io) {
    const uint8_t *in = io->in, *in_safe = io->in_end - 16;
    uint8_t *out = io->out, *const start = io->start, *out_safe = io->end - (longest_match + 32);
    uint64_t bits = s->bits;
    unsigned count = s->count;
    const char *reason = NULL;
    while (in <= in_safe && out <= out_safe) {
        // 56 bits at least: three literals of 15, or the 48 of a match.
        bits |= word(in) << count;
        in += (63 - count) >> 3;
        count |= 56;
        uint32_t entry = s->literals[bits & ((1 << literal_bits) - 1)];
        if (entry & IS_LITERAL) {
            bits >>= TAKES(entry), count -= TAKES(entry);
            *out++ = (uint8_t)VALUE(entry);
            entry = s->literals[bits & ((1 << literal_bits) - 1)];
            if (entry & IS_LITERAL) {
                bits >>= TAKES(entry), count -= TAKES(entry);
                *out++ = (uint8_t)VALUE(entry);
                entry = s->literals[bits & ((1 << literal_bits) - 1)];
                if (entry & IS_LITERAL) {
                    bits >>= TAKES(entry), count -= TAKES(entry);
                    *out++ = (uint8_t)VALUE(entry);
                    continue;
                }
            }
            bits |= word(in) << count;
            in += (63 - count) >> 3;
            count |= 56;
        }
        SECOND_LOOK(entry, s->literals)
        if (entry & IS_LITERAL) {
            bits >>= TAKES(entry), count -= TAKES(entry);
            *out++ = (uint8_t)VALUE(entry);
            continue;
        }
        bits >>= TAKES(entry), count -= TAKES(entry);
        if (__builtin_expect(entry & IS_OTHER, 0)) {
            if (entry & IS_END) s->state = s->is_last ? at_tail : at_block;
            else reason = "invalid literal/length code";
            break;
        }
        unsigned length = VALUE(entry) + (unsigned)(bits & ((1u << EXTRA(entry)) - 1));
        bits >>= EXTRA(entry), count -= EXTRA(entry);
        entry = s->distances[bits & ((1 << distance_bits) - 1)];
        SECOND_LOOK(entry, s->distances)
        bits >>= TAKES(entry), count -= TAKES(entry);
        if (__builtin_expect(entry & IS_OTHER, 0)) {
            reason = "invalid distance code";
            break;
        }
        size_t distance = VALUE(entry) + (size_t)(bits & ((1u << EXTRA(entry)) - 1));
        bits >>= EXTRA(entry), count -= EXTRA(entry);
        size_t made = (size_t)(out - start);
        if (__builtin_expect(distance > made, 0)) {
            if (distance > made + s->before) {
                reason = "invalid distance too far back";
                break;
            }
            io->out = out;
            s->match_left = length, s->distance = (uint32_t)distance;
            match(s, io);
            out = io->out;
            continue;
        }
        const uint8_t *from = out - distance;
        uint8_t *to = out;
        out += length;
        if (distance >= 8) {
            // Up to 23 bytes too many, which the next symbols overwrite. Most matches are short.
            copy_8(to, from), copy_8(to + 8, from + 8), copy_8(to + 16, from + 16);
            for (to += 24, from += 24; to < out; to += 8, from += 8) copy_8(to, from);
        } else if (distance == 1) {
            memset(to, *from, length);
        } else {
            do *to++ = *from++;
            while (to < out);
        }
    }
    // Whole bytes that were not used go back, as far as they are this call's.
    unsigned back = count >> 3;
    if (back > in - io->in) back = (unsigned)(in - io->in);
    in -= back;
    count -= 8 * back;
    s->bits = bits & ((1ull << count) - 1);
    s->count = count;
    io->in = in, io->out = out;
    return reason;
}

#if defined(__x86_64__)
/// The same, with shifts by any register.
__attribute__((target("bmi,bmi2"))) static const char *fast_bmi2(ccodecs_inflate *s, struct stream *io) {
    return fast_symbols(s, io);
}
#endif

static const char *fast(ccodecs_inflate *s, struct stream *io) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("bmi2")) return fast_bmi2(s, io);
#endif
    return fast_symbols(s, io);
}

/// One symbol. *whole is 0 where the input ends in it: then nothing has happened.
static const char *careful(ccodecs_inflate *s, struct stream *io, int *whole) {
    *whole = 0;
    need(s, io, 48);
    uint64_t bits = s->bits;
    // Negative once more has been used than was there.
    int count = (int)s->count;
    uint32_t entry = s->literals[bits & ((1 << literal_bits) - 1)];
    SECOND_LOOK(entry, s->literals)
    bits >>= TAKES(entry), count -= (int)TAKES(entry);
    if (count < 0) return NULL;
    if (entry & IS_OTHER) {
        if (!(entry & IS_END)) return "invalid literal/length code";
        s->state = s->is_last ? at_tail : at_block;
    } else if (entry & IS_LITERAL) {
        *io->out++ = (uint8_t)VALUE(entry);
    } else {
        unsigned length = VALUE(entry) + (unsigned)(bits & ((1u << EXTRA(entry)) - 1));
        bits >>= EXTRA(entry), count -= (int)EXTRA(entry);
        if (count < 0) return NULL;
        entry = s->distances[bits & ((1 << distance_bits) - 1)];
        SECOND_LOOK(entry, s->distances)
        bits >>= TAKES(entry), count -= (int)TAKES(entry);
        if (count < 0) return NULL;
        if (entry & IS_OTHER) return "invalid distance code";
        size_t distance = VALUE(entry) + (size_t)(bits & ((1u << EXTRA(entry)) - 1));
        bits >>= EXTRA(entry), count -= (int)EXTRA(entry);
        if (count < 0) return NULL;
        if (distance > (size_t)(io->out - io->start) + s->before) return "invalid distance too far back";
        s->match_left = length, s->distance = (uint32_t)distance;
    }
    s->bits = bits, s->count = (unsigned)count;
    *whole = 1;
    return NULL;
}

/// Keeps what later matches may refer to.
static void remember(ccodecs_inflate *s, const struct stream *io) {
    size_t made = (size_t)(io->out - io->start);
    if (made >= window_size) {
        memcpy(s->window, io->out - window_size, window_size);
        s->before = window_size;
        return;
    }
    memmove(s->window, s->window + made, window_size - made);
    memcpy(s->window + window_size - made, io->start, made);
    s->before = s->before + made < window_size ? s->before + made : window_size;
}

ccodecs_inflate *ccodecs_inflate_create(void) {
    ccodecs_inflate *s = calloc(1, sizeof(ccodecs_inflate));
    for (unsigned i = 0; s && i < 288; i++) s->literal_entries[i] = literal_entry(i);
    for (unsigned i = 0; s && i < 32; i++) s->distance_entries[i] = distance_entry(i);
    return s;
}

/// The header, byte by byte. *whole is 0 where the input ends before it does.
static const char *head(ccodecs_inflate *s, struct stream *io, int *whole) {
    enum { extra_size = 10, extra = 12, name = 13, comment = 14, check = 15, done = 17 };
    enum { has_check = 2, has_extra = 4, has_name = 8, has_comment = 16, unknown = 0xe0 };
    while (*whole && s->state == at_head) {
        if (s->head == extra_size && !(s->flags & has_extra)) s->head = name;
        if (s->head == extra && !s->skip) s->head = name;
        if (s->head == name && !(s->flags & has_name)) s->head = comment;
        if (s->head == comment && !(s->flags & has_comment)) s->head = check;
        if (s->head == check && !(s->flags & has_check)) s->head = done;
        if (s->head == done) {
            s->state = at_block;
            break;
        }
        if (!(*whole = need(s, io, 8))) break;
        uint8_t byte = (uint8_t)take(s, 8);
        if (s->head < check) s->head_crc = (uint32_t)crc32_z(s->head_crc, &byte, 1);
        switch (s->head) {
        case 0: if (byte != 0x1f) return "incorrect header"; break;
        case 1: if (byte != 0x8b) return "incorrect header"; break;
        case 2: if (byte != 8) return "unknown compression method"; break;
        case 3: if (byte & unknown) return "unknown header flags"; s->flags = byte; break;
        case extra_size: s->skip = byte; break;
        case extra_size + 1: s->skip |= (unsigned)byte << 8; break;
        case extra: s->skip--; continue;
        case name: case comment: if (byte) continue; break;
        case check: if (byte != (s->head_crc & 0xff)) return "incorrect checksum of the header"; break;
        case check + 1: if (byte != (s->head_crc >> 8 & 0xff)) return "incorrect checksum of the header"; break;
        }
        s->head++;
    }
    return NULL;
}

const char *ccodecs_inflate_some(ccodecs_inflate *s, const uint8_t *in, size_t *in_count, uint8_t *out,
                                 size_t *out_count, int *is_end) {
    struct stream io = {in, in + *in_count, out, out, out + *out_count};
    const char *reason = NULL;
    int whole = 1;
    while (!reason && whole && s->state < at_tail) {
        if (s->state == at_head) {
            reason = head(s, &io, &whole);
        } else if (s->match_left) {
            if (io.out == io.end) break;
            match(s, &io);
        } else if (s->state == at_block) {
            uint64_t bits = s->bits;
            unsigned count = s->count;
            const uint8_t *unread = io.in;
            reason = block(s, &io, &whole);
            if (!whole) s->bits = bits, s->count = count, io.in = unread;
        } else if (io.out == io.end) {
            break;
        } else if (s->state == in_stored) {
            whole = s->count >= 8 || io.in < io.in_end || !s->stored;
            stored(s, &io);
        } else if (io.in_end - io.in >= 16 && io.end - io.out >= longest_match + 32) {
            reason = fast(s, &io);
        } else {
            reason = careful(s, &io, &whole);
        }
    }
    remember(s, &io);
    size_t made = (size_t)(io.out - io.start);
    s->crc = (uint32_t)ccodecs_crc32(s->crc, io.start, made);
    s->size += (uint32_t)made;
    if (!reason && s->state == at_tail) {
        // Its 8 bytes; what was read ahead is less than that.
        take(s, s->count & 7);
        if (!s->has_crc && need(s, &io, 32)) {
            if (take(s, 32) != s->crc) reason = "incorrect data check";
            s->has_crc = 1;
        }
        if (s->has_crc && need(s, &io, 32)) {
            if (take(s, 32) != s->size) reason = reason ? reason : "incorrect length check";
            s->state = at_end;
        }
    }
    *in_count = (size_t)(io.in - in);
    *out_count = made;
    *is_end = s->state == at_end;
    return reason;
}
