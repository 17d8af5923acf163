// Proxy auto-configuration for a network behind embargo: everything goes through the proxy, nothing beside it.
//
// Edit the three lists, serve the file by HTTP as application/x-ns-proxy-autoconfig, and name its URL to the clients
// (docs/how-to/point-clients-at-the-proxy.md). There is no DIRECT at the end of PROXIES on purpose: where no proxy
// answers, a client gets an error, and not a way round. A client that cannot load this file goes direct by default;
// the firewall stops that (docs/how-to/close-the-ways-round.md).

// In the order in which they are tried.
var PROXIES = ["PROXY proxy.example.com:3128"];

// Domains of your own network, which the proxy need not see: the name and all below it.
var OWN_DOMAINS = ["corp.example.com"];

// Addresses of your own network, as beginnings of what a person would type. Names are not looked up: that would hold
// up each page, and tell the resolver what is asked of the proxy.
var OWN_ADDRESSES = ["10.", "127.", "192.168.", "169.254."];

function FindProxyForURL(url, host) {
  var name = host.toLowerCase().replace(/\.$/, "");
  return isOwn(name) ? "DIRECT" : PROXIES.join("; ");
}

function isOwn(name) {
  if (/^[0-9.]+$/.test(name)) {
    return /^[0-9]{1,3}(\.[0-9]{1,3}){3}$/.test(name) && begins(name, OWN_ADDRESSES);
  }
  if (name.indexOf(":") >= 0) {
    return name === "::1" || name === "[::1]";
  }
  if (name === "localhost" || /\.localhost$/.test(name)) {
    return true;
  }
  for (var i = 0; i < OWN_DOMAINS.length; i++) {
    if (name === OWN_DOMAINS[i] || endsWith(name, "." + OWN_DOMAINS[i])) {
      return true;
    }
  }
  return false;
}

function begins(name, beginnings) {
  for (var i = 0; i < beginnings.length; i++) {
    if (name.lastIndexOf(beginnings[i], 0) === 0) {
      return true;
    }
  }
  return false;
}

function endsWith(name, ending) {
  return name.length >= ending.length && name.slice(name.length - ending.length) === ending;
}
