/**
 * @file node.h
 * @brief The node operations of this process: what its executors ask of it.
 */
#ifndef TRP_NODE_H
#define TRP_NODE_H

#include "actor/node_ops.h"

/** The operations of every runtime that is part of a system. */
extern const struct trp_node_ops trp_node_ops;

#endif
