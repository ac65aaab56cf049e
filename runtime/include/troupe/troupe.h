/**
 * @file troupe/troupe.h
 * @brief Everything that a program with actors includes.
 *
 * Write an actor once, as callbacks in a struct troupe_behaviour; choose at launch where it lives.
 * Backends are written against troupe/backend.h, which is not included here.
 */
#ifndef TROUPE_TROUPE_H
#define TROUPE_TROUPE_H

#include "troupe/behaviour.h"
#include "troupe/context.h"
#include "troupe/error.h"
#include "troupe/export.h"
#include "troupe/inbox.h"
#include "troupe/limits.h"
#include "troupe/main.h"
#include "troupe/message.h"
#include "troupe/ref.h"
#include "troupe/signals.h"
#include "troupe/stats.h"
#include "troupe/system.h"
#include "troupe/version.h"

#endif
