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

/// `bytes` are copied.
static inline CURLcode ccurl_set_bytes(CURL *_Nonnull curl, CURLoption option, const void *_Nullable bytes,
                                       size_t count) {
    struct curl_blob blob = {(void *)bytes, count, CURL_BLOB_COPY};
    return curl_easy_setopt(curl, option, &blob);
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

/// What is sent as a body of `size` bytes: `source` puts some into the buffer and says how many, 0 at the end; `rewind`
/// begins it anew and says CURL_SEEKFUNC_OK.
static inline void ccurl_set_source(CURL *_Nonnull curl, ccurl_sink _Nonnull source,
                                    int (*_Nonnull rewind)(void *_Nullable context, curl_off_t offset, int origin),
                                    void *_Nullable context, curl_off_t size) {
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, source);
    curl_easy_setopt(curl, CURLOPT_READDATA, context);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, rewind);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, context);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, size);
}

/// Where an answer that redirects sends, made whole; NULL where it does not. As long as `curl` is not used again.
static inline const char *_Nullable ccurl_redirect(CURL *_Nonnull curl) {
    char *url = NULL;
    curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &url);
    return url;
}

static inline long ccurl_status(CURL *_Nonnull curl) {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/// What a proxy has answered to CONNECT; 0 where none was asked.
static inline long ccurl_connect_status(CURL *_Nonnull curl) {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_HTTP_CONNECTCODE, &status);
    return status;
}

/// The certificates that libcurl believes unless it is told others: a file, or NULL.
static inline const char *_Nullable ccurl_authorities(void) {
    return curl_version_info(CURLVERSION_NOW)->cainfo;
}
