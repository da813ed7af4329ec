# Varnish (7 or later, with the module xkey of varnish-modules) before deliver.
#
#     varnishd -a :80 -f /etc/varnish/varnish.vcl -p http_gzip_support=off
#
# Off, because deliver compresses, and better; on, Varnish would ask for gzip alone.

vcl 4.1;

import std;
import xkey;

backend deliver {
    .host = "127.0.0.1";
    .port = "8080";
    .connect_timeout = 1s;
    .first_byte_timeout = 5s;
    .between_bytes_timeout = 5s;
}

# Whoever may have pages let go of: deliver, with WRITETHRU_PURGE_URL naming us.
acl purgers {
    "127.0.0.1";
    "::1";
}

sub vcl_recv {
    if (req.method == "PURGE") {
        if (client.ip !~ purgers) {
            return (synth(403, "Not from here"));
        }
        if (!req.http.xkey-purge) {
            return (synth(400, "Name the keys in xkey-purge"));
        }
        set req.http.xkey-purged = xkey.purge(req.http.xkey-purge);
        return (synth(200, "Purged " + req.http.xkey-purged));
    }

    # Streams are passed on byte by byte, and whoever waits for a change waits alone.
    if (req.url ~ "^/(articles/[^/]+/)?live(\?|$)") {
        return (pipe);
    }
    if (req.url ~ "[?&]wait=") {
        return (pass);
    }

    # Nothing depends on cookies. Few forms are enough: these are what the answers vary by.
    unset req.http.Cookie;
    if (req.http.Accept-Encoding ~ "(^|[ ,])br($|[ ,])") {
        set req.http.Accept-Encoding = "br";
    } else if (req.http.Accept-Encoding ~ "(^|[ ,])gzip($|[ ,])") {
        set req.http.Accept-Encoding = "gzip";
    } else {
        unset req.http.Accept-Encoding;
    }
    if (!req.http.Accept || req.http.Accept ~ "text/html") {
        set req.http.Accept = "text/html";
    }
}

sub vcl_backend_response {
    set beresp.http.xkey = beresp.http.Surrogate-Key;

    # An error is no reason to show what is old for longer than it may be, nor one to stop before.
    if (beresp.status >= 500 && bereq.is_bgfetch) {
        return (abandon);
    }
    if (beresp.http.CDN-Cache-Control) {
        set beresp.ttl = std.duration(
            regsub(beresp.http.CDN-Cache-Control, "^.*max-age=(\d+).*$", "\1s"), 0s);
        set beresp.grace = 0s;
        if (beresp.http.CDN-Cache-Control ~ "stale-while-revalidate=") {
            set beresp.grace = std.duration(
                regsub(beresp.http.CDN-Cache-Control, "^.*stale-while-revalidate=(\d+).*$", "\1s"), 0s);
        }
        # Longer, and a page that is asked about again costs no bytes; it isn't shown meanwhile.
        set beresp.keep = 10m;
        return (deliver);
    }
    # Without a rule for us, Cache-Control holds, and nothing is shown beyond it.
    set beresp.grace = 0s;
}

sub vcl_deliver {
    unset resp.http.xkey;
    unset resp.http.Surrogate-Key;
    unset resp.http.Cache-Tag;
    unset resp.http.CDN-Cache-Control;
}
