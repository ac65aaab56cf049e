/**
 * @file cache_line.h
 * @brief The size of a cache line: what different threads write is kept on different lines.
 */
#ifndef TRP_CACHE_LINE_H
#define TRP_CACHE_LINE_H

enum { TRP_CACHE_LINE = 64 };

#endif
