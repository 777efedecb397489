// The type of keys. It stands in tunnel/wire, which requests to keyd are made of.
#pragma once

#include "tunnel/wire/secret.h"

namespace tunnel::crypto {

using wire::Secret;

}  // namespace tunnel::crypto
