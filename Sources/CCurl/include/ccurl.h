// libcurl's easy interface: what Swift can't call, because it takes any number of arguments.
#pragma once

#include <curl/curl.h>

static inline CURLcode ccurl_set_string(CURL *_Nonnull curl, CURLoption option, const char *_Nullable value) {
    return curl_easy_setopt(curl, option, value);
}

static inline CURLcode ccurl_set_number(CURL *_Nonnull curl, CURLoption option, long value) {
    return curl_easy_setopt(curl, option, value);
}

static inline CURLcode ccurl_set_headers(CURL *_Nonnull curl, struct curl_slist *_Nullable headers) {
    return curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
}

/// What gets the bytes of a body, or the lines of headers: how many of `size * count` it took; fewer end the transfer.
typedef size_t (*ccurl_sink)(char *_Nullable bytes, size_t size, size_t count, void *_Nullable context);

static inline void ccurl_set_sinks(CURL *_Nonnull curl, ccurl_sink _Nonnull body, ccurl_sink _Nonnull header,
                                   void *_Nullable context) {
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, context);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, context);
}

/// Where the last answer came from, which may not be where the first request went; as long as `curl` is not used again.
static inline const char *_Nullable ccurl_place(CURL *_Nonnull curl) {
    char *url = NULL;
    curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &url);
    return url;
}

static inline long ccurl_status(CURL *_Nonnull curl) {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}
