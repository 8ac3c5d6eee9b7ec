// The end of a connection that others than this process's namespace still have mounted.
#pragma once

#include <stdint.h>

/// The number of the connection of what is mounted at `target`, which need not be served yet: the minor number of its
/// st_dev, whose major one is 0. Or -errno.
int64_t cfuse_connection_number(const char *_Nonnull target);

/// Whether the filesystem of `device`, an open /dev/fuse, is still mounted somewhere.
int cfuse_is_connected(int device);

/// Aborts the connection `number`, if that is still `device`'s: whoever uses the filesystem gets ENOTCONN from now on,
/// and whoever reads `device` ENODEV. 0, also where it had ended already; or -errno: the kernel does not let this process.
int cfuse_abort(int device, int64_t number);
