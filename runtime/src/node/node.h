/**
 * @file node.h
 * @brief The node of this process, as its executors see it.
 */
#ifndef TRP_NODE_H
#define TRP_NODE_H

#include "actor/node_ops.h"

/** For every runtime that is part of a system. */
extern const struct trp_node_ops trp_node_ops;

#endif
