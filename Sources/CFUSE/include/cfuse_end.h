// Ending a connection whose mount other namespaces may still have.
#pragma once

#include <stdint.h>

/// The number of the connection of the mount at `target`, which need not be served yet: the minor number of its
/// st_dev, whose major number is 0. Or -errno.
int64_t cfuse_connection_number(const char *_Nonnull target);

/// Whether the filesystem of `device`, an open /dev/fuse, is still mounted somewhere.
int cfuse_is_connected(int device);

/// Aborts the connection `number`, if that is still `device`'s: from now on users of the filesystem get ENOTCONN,
/// and readers of `device` ENODEV. 0, also where it had ended already; or -errno where the kernel does not let this
/// process.
int cfuse_abort(int device, int64_t number);
