// PostGraphile calls Promise.withResolvers, which Node.js has from version 22; before that every query would fail.
Promise.withResolvers ??= function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};
